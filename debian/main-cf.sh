# What every main.cf and master.cf on this machine has of the tables in a folder: "FILE: PARAMETER: ENTRY". Fails where Postfix does
# not say; then nobody knows.
entries() {
    command -v postconf > /dev/null || return 0
    configs=$(postconf -x -h config_directory alternate_config_directories multi_instance_directories) || return 1
    for config in $(echo "$configs" | tr ',' ' '); do
        # Expanded: a name for the folder may stand there.
        for what in -n -P; do
            said=$(postconf -c "$config" -x "$what") || return 1
            echo "$said" | awk -v maps="$1/" -v file="$config" '
                { for (i = 2; i <= NF; i++) if (index($i, maps)) { sub(/,$/, "", $i); print file ": " $1 ": " $i } }'
        done
    done
}
