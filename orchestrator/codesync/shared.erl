%% What ask.erl and apply.erl share. A process is {Pid, RegisteredName, InitialCall},
%% as text; a module is {Module, Md5, Built, Released}, its file twice, {Path, Md5}:
%% where Mix builds it, and where a release has it, or none.
Try = fun(F, Default) -> try F() catch _:_ -> Default end end,
Who = fun(P) ->
    Name = case process_info(P, registered_name) of {registered_name, N} -> io_lib:format("~ts", [N]); _ -> "" end,
    {CM, CF, CA} = proc_lib:translate_initial_call(P),
    Text = fun unicode:characters_to_binary/1,
    {Text(pid_to_list(P)), Text(Name), Text(io_lib:format("~ts:~ts/~w", [CM, CF, CA]))}
end,
Using = fun(M) -> [Who(P) || P <- processes(), P =/= self(), Try(fun() -> erlang:check_process_code(P, M) end, false) =:= true] end,
Released = os:getenv("RELEASE_ROOT") =/= false,
Where = fun(Built, none) -> Built; (Built, In) -> case Released of true -> In; false -> Built end end,
