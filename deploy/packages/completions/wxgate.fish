# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_wxgate_global_optspecs
    string join \n c/config= set= upstream= log-level= log-format= h/help V/version
end

function __fish_wxgate_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_wxgate_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_wxgate_using_subcommand
    set -l cmd (__fish_wxgate_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c wxgate -n "__fish_wxgate_needs_command" -s c -l config -d 'Configuration file. Without one, only environment and flags are read' -r -F
complete -c wxgate -n "__fish_wxgate_needs_command" -l set -d 'Any key of the configuration, such as `upstream.idle_timeout=2s`. May be repeated' -r
complete -c wxgate -n "__fish_wxgate_needs_command" -l upstream -d 'Where the backend is: `http://host:port` or `unix:/path`. Short for `--set upstream.url=…`' -r
complete -c wxgate -n "__fish_wxgate_needs_command" -l log-level -d '`error`, `warn`, `info`, `debug` or `trace`. Short for `--set log.level=…`' -r
complete -c wxgate -n "__fish_wxgate_needs_command" -l log-format -d '`text` or `json`. Short for `--set log.format=…`' -r
complete -c wxgate -n "__fish_wxgate_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c wxgate -n "__fish_wxgate_needs_command" -s V -l version -d 'Print version'
complete -c wxgate -n "__fish_wxgate_needs_command" -f -a "serve" -d 'Serve'
complete -c wxgate -n "__fish_wxgate_needs_command" -f -a "demo" -d 'Serve at once, without any file: own certificate, sample backend, sample endpoints, and curl lines to try'
complete -c wxgate -n "__fish_wxgate_needs_command" -f -a "check" -d 'Check configuration, certificates and keys, and exit: 0 if good, 78 if not. Nothing is bound'
complete -c wxgate -n "__fish_wxgate_needs_command" -f -a "explain" -d 'Say why logged verifications fail, by the configuration alone: 0 if all would pass, 1 if one would not, 2 if there is nothing to explain. No secret is shown'
complete -c wxgate -n "__fish_wxgate_needs_command" -f -a "simulate" -d 'Play a console against any server, wxgate or not, and say what would fail and why: 0 passed, 1 something fails, 2 wrong arguments'
complete -c wxgate -n "__fish_wxgate_needs_command" -f -a "healthcheck" -d 'Ask a running wxgate whether it is ready, for probes in images without a shell: 0 if so, else 1'
complete -c wxgate -n "__fish_wxgate_needs_command" -f -a "drain" -d 'Have a running wxgate begin its drain, as SIGTERM would, and wait for its end, for hooks in images without a shell: 0 if it has ended, 75 if it still drains, 1 if nothing was begun'
complete -c wxgate -n "__fish_wxgate_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c wxgate -n "__fish_wxgate_using_subcommand serve" -s c -l config -d 'Configuration file. Without one, only environment and flags are read' -r -F
complete -c wxgate -n "__fish_wxgate_using_subcommand serve" -l set -d 'Any key of the configuration, such as `upstream.idle_timeout=2s`. May be repeated' -r
complete -c wxgate -n "__fish_wxgate_using_subcommand serve" -l upstream -d 'Where the backend is: `http://host:port` or `unix:/path`. Short for `--set upstream.url=…`' -r
complete -c wxgate -n "__fish_wxgate_using_subcommand serve" -l log-level -d '`error`, `warn`, `info`, `debug` or `trace`. Short for `--set log.level=…`' -r
complete -c wxgate -n "__fish_wxgate_using_subcommand serve" -l log-format -d '`text` or `json`. Short for `--set log.format=…`' -r
complete -c wxgate -n "__fish_wxgate_using_subcommand serve" -s h -l help -d 'Print help'
complete -c wxgate -n "__fish_wxgate_using_subcommand demo" -l https -d 'For TLS' -r
complete -c wxgate -n "__fish_wxgate_using_subcommand demo" -l http -d 'For clear text' -r
complete -c wxgate -n "__fish_wxgate_using_subcommand demo" -l admin -d 'For metrics and probes' -r
complete -c wxgate -n "__fish_wxgate_using_subcommand demo" -s h -l help -d 'Print help'
complete -c wxgate -n "__fish_wxgate_using_subcommand check" -s c -l config -d 'Configuration file. Without one, only environment and flags are read' -r -F
complete -c wxgate -n "__fish_wxgate_using_subcommand check" -l set -d 'Any key of the configuration, such as `upstream.idle_timeout=2s`. May be repeated' -r
complete -c wxgate -n "__fish_wxgate_using_subcommand check" -l upstream -d 'Where the backend is: `http://host:port` or `unix:/path`. Short for `--set upstream.url=…`' -r
complete -c wxgate -n "__fish_wxgate_using_subcommand check" -l log-level -d '`error`, `warn`, `info`, `debug` or `trace`. Short for `--set log.level=…`' -r
complete -c wxgate -n "__fish_wxgate_using_subcommand check" -l log-format -d '`text` or `json`. Short for `--set log.format=…`' -r
complete -c wxgate -n "__fish_wxgate_using_subcommand check" -s h -l help -d 'Print help'
complete -c wxgate -n "__fish_wxgate_using_subcommand explain" -s c -l config -d 'Configuration file. Without one, only environment and flags are read' -r -F
complete -c wxgate -n "__fish_wxgate_using_subcommand explain" -l set -d 'Any key of the configuration, such as `upstream.idle_timeout=2s`. May be repeated' -r
complete -c wxgate -n "__fish_wxgate_using_subcommand explain" -l upstream -d 'Where the backend is: `http://host:port` or `unix:/path`. Short for `--set upstream.url=…`' -r
complete -c wxgate -n "__fish_wxgate_using_subcommand explain" -l log-level -d '`error`, `warn`, `info`, `debug` or `trace`. Short for `--set log.level=…`' -r
complete -c wxgate -n "__fish_wxgate_using_subcommand explain" -l log-format -d '`text` or `json`. Short for `--set log.format=…`' -r
complete -c wxgate -n "__fish_wxgate_using_subcommand explain" -l lang -d '`zh` or `en`. Default: the terminal\'s' -r -f -a "zh\t''
en\t''"
complete -c wxgate -n "__fish_wxgate_using_subcommand explain" -s h -l help -d 'Print help'
complete -c wxgate -n "__fish_wxgate_using_subcommand simulate" -l platform -d 'Which console' -r -f -a "official_account\t''
wecom\t''"
complete -c wxgate -n "__fish_wxgate_using_subcommand simulate" -l token -d 'The token' -r
complete -c wxgate -n "__fish_wxgate_using_subcommand simulate" -l encoding-aes-key -d 'The EncodingAESKey. WeCom has one; an official account has one in safe mode' -r
complete -c wxgate -n "__fish_wxgate_using_subcommand simulate" -l receive-id -d 'The CorpID, SuiteID or AppID that envelopes end with; "" for none' -r
complete -c wxgate -n "__fish_wxgate_using_subcommand simulate" -s c -l config -d 'Take platform, token, key and receive id from this configuration' -r -F
complete -c wxgate -n "__fish_wxgate_using_subcommand simulate" -l endpoint -d 'Which endpoint of the configuration' -r
complete -c wxgate -n "__fish_wxgate_using_subcommand simulate" -l ca -d 'Believe these authorities too, beside the system\'s' -r -F
complete -c wxgate -n "__fish_wxgate_using_subcommand simulate" -l connect -d 'Connect there, whatever the name in the URL says: a server that has no public name yet' -r
complete -c wxgate -n "__fish_wxgate_using_subcommand simulate" -l timeout -d 'Longest wait for each answer, 1ms to 1h' -r
complete -c wxgate -n "__fish_wxgate_using_subcommand simulate" -l lang -d 'Language of the report. Without it: that of `LC_ALL`, `LC_MESSAGES` or `LANG`' -r -f -a "zh\t''
en\t''"
complete -c wxgate -n "__fish_wxgate_using_subcommand simulate" -l no-message -d 'Send no messages (POST), which the server would take for real ones'
complete -c wxgate -n "__fish_wxgate_using_subcommand simulate" -l json -d 'Print JSON'
complete -c wxgate -n "__fish_wxgate_using_subcommand simulate" -s h -l help -d 'Print help'
complete -c wxgate -n "__fish_wxgate_using_subcommand healthcheck" -l address -d 'The admin listener' -r
complete -c wxgate -n "__fish_wxgate_using_subcommand healthcheck" -l live -d 'Ask whether it is alive, rather than ready'
complete -c wxgate -n "__fish_wxgate_using_subcommand healthcheck" -s h -l help -d 'Print help'
complete -c wxgate -n "__fish_wxgate_using_subcommand drain" -l pid -d 'The process that serves. In a container of its own that is 1' -r
complete -c wxgate -n "__fish_wxgate_using_subcommand drain" -l timeout -d 'Longest wait for its end, such as `40s`. Without it: as long as it takes' -r
complete -c wxgate -n "__fish_wxgate_using_subcommand drain" -l no-wait -d 'Do not wait at all: exit with 0 as soon as it has been told'
complete -c wxgate -n "__fish_wxgate_using_subcommand drain" -s h -l help -d 'Print help'
complete -c wxgate -n "__fish_wxgate_using_subcommand help; and not __fish_seen_subcommand_from serve demo check explain simulate healthcheck drain help" -f -a "serve" -d 'Serve'
complete -c wxgate -n "__fish_wxgate_using_subcommand help; and not __fish_seen_subcommand_from serve demo check explain simulate healthcheck drain help" -f -a "demo" -d 'Serve at once, without any file: own certificate, sample backend, sample endpoints, and curl lines to try'
complete -c wxgate -n "__fish_wxgate_using_subcommand help; and not __fish_seen_subcommand_from serve demo check explain simulate healthcheck drain help" -f -a "check" -d 'Check configuration, certificates and keys, and exit: 0 if good, 78 if not. Nothing is bound'
complete -c wxgate -n "__fish_wxgate_using_subcommand help; and not __fish_seen_subcommand_from serve demo check explain simulate healthcheck drain help" -f -a "explain" -d 'Say why logged verifications fail, by the configuration alone: 0 if all would pass, 1 if one would not, 2 if there is nothing to explain. No secret is shown'
complete -c wxgate -n "__fish_wxgate_using_subcommand help; and not __fish_seen_subcommand_from serve demo check explain simulate healthcheck drain help" -f -a "simulate" -d 'Play a console against any server, wxgate or not, and say what would fail and why: 0 passed, 1 something fails, 2 wrong arguments'
complete -c wxgate -n "__fish_wxgate_using_subcommand help; and not __fish_seen_subcommand_from serve demo check explain simulate healthcheck drain help" -f -a "healthcheck" -d 'Ask a running wxgate whether it is ready, for probes in images without a shell: 0 if so, else 1'
complete -c wxgate -n "__fish_wxgate_using_subcommand help; and not __fish_seen_subcommand_from serve demo check explain simulate healthcheck drain help" -f -a "drain" -d 'Have a running wxgate begin its drain, as SIGTERM would, and wait for its end, for hooks in images without a shell: 0 if it has ended, 75 if it still drains, 1 if nothing was begun'
complete -c wxgate -n "__fish_wxgate_using_subcommand help; and not __fish_seen_subcommand_from serve demo check explain simulate healthcheck drain help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
