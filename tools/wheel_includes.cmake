# SPDX-FileCopyrightText: 2026 The roboreward_ros authors
# SPDX-License-Identifier: Apache-2.0
# Makes the ROS 2 wheels usable by CMake without touching an installed file. Given as
# -DCMAKE_PROJECT_INCLUDE=<this file>; with a ROS installation it changes nothing.
#
# 1. The wheels export include folders of the machine that built them (/opt/python/cpXY-cpXY/...),
#    and CMake refuses imported targets whose include folders do not exist: drop those entries.
# 2. .venv lies inside the checkout, and CMake refuses to export a target whose include folders are
#    inside the source folder (here NumPy's headers): mark them as needed at build time only.
function(roboreward_drop_missing_imported_includes)
  get_property(_targets DIRECTORY PROPERTY IMPORTED_TARGETS)
  foreach(_target IN LISTS _targets)
    get_target_property(_dirs "${_target}" INTERFACE_INCLUDE_DIRECTORIES)
    if(NOT _dirs)
      continue()
    endif()
    set(_kept "")
    foreach(_dir IN LISTS _dirs)
      if(NOT IS_ABSOLUTE "${_dir}" OR EXISTS "${_dir}") # generator expressions stay
        list(APPEND _kept "${_dir}")
      endif()
    endforeach()
    set_property(TARGET "${_target}" PROPERTY INTERFACE_INCLUDE_DIRECTORIES "${_kept}")
  endforeach()
endfunction()

function(roboreward_localise_venv_includes)
  get_property(_targets DIRECTORY PROPERTY BUILDSYSTEM_TARGETS)
  foreach(_target IN LISTS _targets)
    get_target_property(_dirs "${_target}" INTERFACE_INCLUDE_DIRECTORIES)
    if(NOT _dirs)
      continue()
    endif()
    list(TRANSFORM _dirs REPLACE "^(${CMAKE_SOURCE_DIR}/\\.venv/.*)$" "$<BUILD_INTERFACE:\\1>")
    set_property(TARGET "${_target}" PROPERTY INTERFACE_INCLUDE_DIRECTORIES "${_dirs}")
  endforeach()
endfunction()

if(CMAKE_CURRENT_SOURCE_DIR STREQUAL CMAKE_SOURCE_DIR)
  cmake_language(DEFER CALL roboreward_drop_missing_imported_includes)
  cmake_language(DEFER CALL roboreward_localise_venv_includes)
endif()
