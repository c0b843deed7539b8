# SPDX-License-Identifier: Apache-2.0
"""Which endpoints to try, in which order, and why. Pure functions."""
