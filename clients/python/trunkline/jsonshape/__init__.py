# SPDX-License-Identifier: Apache-2.0
"""Generated protobuf modules of the package trunkline.jsonshape."""
