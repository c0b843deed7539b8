# SPDX-License-Identifier: Apache-2.0
"""What is on offer: models, providers and endpoints, as immutable values."""
