# SPDX-License-Identifier: MIT
# bash completion for postcensus(8).

_postcensus() {
    local commands="sync watch failsafe probe report explain scan check approve forget"
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} command="" config=/etc/postcensus/postcensus.conf i
    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
            --config) config=${COMP_WORDS[++i]} ;;
            --log-level) ((i++)) ;;
            -*) ;;
            *) command=${COMP_WORDS[i]} && break ;;
        esac
    done
    # The names behind [SECTION.…] of the configuration, where it can be read.
    _postcensus_names() { sed -n "s/^\[$1\.\([^]]*\)\].*/\1/p" "$config" 2>/dev/null; }

    local words=""
    case $prev in
        --config | --output) COMPREPLY=($(compgen -f -- "$cur")) && return ;;
        --maps) COMPREPLY=($(compgen -d -- "$cur")) && return ;;
        --log-level) words="debug info warning error" ;;
        --format)
            words="text json"
            [ "$command" = report ] && words="text json csv html"
            ;;
        --since | --until) words="24h 7d 30d" ;;
        --domain) words=$(sed -n 's/^domains *= *//p' "$config" 2>/dev/null | sed 's/ #.*//') ;;
        *)
            case $command in
                "") words="--config --log-level --help --version $commands" ;;
                sync) words="--full --dry-run --help $(_postcensus_names directory)" ;;
                watch) words="--once --help" ;;
                failsafe) words="--maps --now --help" ;;
                probe) words="--transcript --record --help" ;;
                report) words="--since --until --domain --format --output --quiet --help" ;;
                explain | check) words="--format --help" ;;
                scan) words="--events --format --help" ;;
                approve) words="--help" ;;
                forget) words="--domain --help" ;;
            esac
            [ "$command" = scan ] && [[ $cur != -* ]] && COMPREPLY=($(compgen -f -- "$cur")) && return
            ;;
    esac
    COMPREPLY=($(compgen -W "$words" -- "$cur"))
}
complete -o filenames -F _postcensus postcensus
