# SPDX-License-Identifier: Apache-2.0
"""A check on what the hot path costs, in figures that machines do not change: docs/decisions/0006-cost-guard.md."""
