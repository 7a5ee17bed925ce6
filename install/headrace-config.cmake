# SPDX-License-Identifier: Apache-2.0
#
#   find_package(headrace REQUIRED)
#   target_link_libraries(program PRIVATE headrace::headrace)
include(${CMAKE_CURRENT_LIST_DIR}/headrace-targets.cmake)
