% Its bindings: Code and File, binaries.
Asked = self(),
Asker = group_leader(),
spawn(fun() ->
    Gone = monitor(process, Asker),
    Done = monitor(process, Asked),
    receive
        {'DOWN', Gone, process, _, _} -> exit(Asked, kill);
        {'DOWN', Done, process, _, _} -> ok
    end
end),
Text = fun(Chars) -> unicode:characters_to_binary(Chars) end,
Parsed = case erl_scan:string(unicode:characters_to_list(Code)) of
    {ok, Tokens, _} -> erl_parse:parse_exprs(Tokens);
    {error, Wrong, _} -> {error, Wrong}
end,
case Parsed of
    {error, {Line, Module, What}} ->
        {error, Text(io_lib:format("~ts:~p: ~ts", [File, Line, Module:format_error(What)])), <<>>};
    {ok, Expressions} ->
        try erl_eval:exprs(Expressions, []) of
            {value, Value, _} -> {ok, Text(io_lib:format("~tp", [Value]))}
        catch
            Class:Reason:Stack ->
                Theirs = [Frame || Frame <- Stack, not lists:member(element(1, Frame), [erl_eval, rpc, erpc])],
                {error, Text(erl_error:format_exception(Class, Reason, Theirs)), <<>>}
        end
end.
