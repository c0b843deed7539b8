# SPDX-License-Identifier: Apache-2.0
"""The story of one call, and the state that outlives it."""
