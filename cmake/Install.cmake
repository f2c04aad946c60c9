# What `cmake --install` puts where: by GNUInstallDirs; what is systemd's in lib/, where it looks below /usr and /usr/local.
install(TARGETS postcensus RUNTIME DESTINATION ${CMAKE_INSTALL_SBINDIR})

find_program(SCDOC scdoc)
if(SCDOC)
    foreach(page postcensus.8 postcensus.conf.5)
        add_custom_command(OUTPUT ${CMAKE_BINARY_DIR}/man/${page}
            COMMAND ${CMAKE_COMMAND} -E make_directory ${CMAKE_BINARY_DIR}/man
            COMMAND sh -c "'${SCDOC}' < '${CMAKE_SOURCE_DIR}/docs/man/${page}.scd' > '${CMAKE_BINARY_DIR}/man/${page}'"
            DEPENDS docs/man/${page}.scd VERBATIM)
        list(APPEND man_pages ${CMAKE_BINARY_DIR}/man/${page})
    endforeach()
    add_custom_target(man ALL DEPENDS ${man_pages})
    install(FILES ${CMAKE_BINARY_DIR}/man/postcensus.8 DESTINATION ${CMAKE_INSTALL_MANDIR}/man8)
    install(FILES ${CMAKE_BINARY_DIR}/man/postcensus.conf.5 DESTINATION ${CMAKE_INSTALL_MANDIR}/man5)
endif()

# With its folders, so that the links between the documents lead somewhere.
install(FILES README.md CHANGELOG.md CONTRIBUTING.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(DIRECTORY docs DESTINATION ${CMAKE_INSTALL_DOCDIR} PATTERN man EXCLUDE)
install(FILES docs/postcensus.conf.example DESTINATION ${CMAKE_INSTALL_DOCDIR}/examples RENAME postcensus.conf)
install(FILES cmd/completion.bash DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions RENAME postcensus)

# The units name the program where it is installed, and `cmake --install --prefix` may say so as late as then.
install(CODE "
    set(SOURCE \"${CMAKE_SOURCE_DIR}/systemd\")
    set(SBINDIR \"${CMAKE_INSTALL_SBINDIR}\")
    set(SYSTEMD_VERSION \"${SYSTEMD_VERSION}\")
    include(\"${CMAKE_SOURCE_DIR}/cmake/InstallUnits.cmake\")")
install(FILES systemd/sysusers.conf DESTINATION lib/sysusers.d RENAME postcensus.conf)
install(FILES systemd/tmpfiles.conf DESTINATION lib/tmpfiles.d RENAME postcensus.conf)
