# SPDX-License-Identifier: Apache-2.0
"""The JSON languages of the field, in both directions. Pure."""
