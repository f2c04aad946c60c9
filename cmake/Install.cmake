# What `cmake --install` puts where: GNUInstallDirs for all but the units, which go where systemd looks under this prefix.
set(POSTCENSUS_UNITDIR lib/systemd/system CACHE STRING "Where systemd's units go")

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
install(FILES README.md CHANGELOG.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(DIRECTORY docs DESTINATION ${CMAKE_INSTALL_DOCDIR} PATTERN man EXCLUDE)
install(FILES docs/postcensus.conf.example DESTINATION ${CMAKE_INSTALL_DOCDIR}/examples RENAME postcensus.conf)
install(FILES cmd/completion.bash DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions RENAME postcensus)

# systemd/: each unit is made twice, for /etc/postcensus/postcensus.conf and, as NAME@.service, for any /etc/postcensus/INSTANCE.conf.
set(SBINDIR ${CMAKE_INSTALL_FULL_SBINDIR})
file(READ systemd/sandbox.conf SANDBOX)
if(SYSTEMD_VERSION VERSION_GREATER_EQUAL 254)
    set(RESTART_STEPS "RestartSteps=8\nRestartMaxDelaySec=5min\n")
endif()
file(GLOB units CONFIGURE_DEPENDS systemd/*.service.in systemd/*.timer.in)
foreach(unit ${units})
    get_filename_component(name ${unit} NAME_WLE)
    string(REPLACE "." "@." template ${name})
    set(OF_INSTANCE "")
    set(OPTIONS "")
    set(NAME postcensus)
    configure_file(${unit} ${CMAKE_BINARY_DIR}/systemd/${name} @ONLY)
    set(OF_INSTANCE " (%i)")
    set(OPTIONS " --config /etc/postcensus/%i.conf")
    set(NAME postcensus-%i)
    configure_file(${unit} ${CMAKE_BINARY_DIR}/systemd/${template} @ONLY)
    install(FILES ${CMAKE_BINARY_DIR}/systemd/${name} ${CMAKE_BINARY_DIR}/systemd/${template} DESTINATION ${POSTCENSUS_UNITDIR})
endforeach()
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS systemd/sandbox.conf)
install(FILES systemd/sysusers.conf DESTINATION lib/sysusers.d RENAME postcensus.conf)
install(FILES systemd/tmpfiles.conf DESTINATION lib/tmpfiles.d RENAME postcensus.conf)
