# SPDX-License-Identifier: Apache-2.0
"""The settings: what they are (`settings`), where they come from (`read`), what is wrong with them (`faults`)."""
