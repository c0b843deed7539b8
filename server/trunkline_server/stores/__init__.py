# SPDX-License-Identifier: Apache-2.0
"""What the gateway remembers: records of finished calls, and what each key spent."""
