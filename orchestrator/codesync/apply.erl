%% Runs on a node: writes files, loads modules as one, and tells what it runs then.
%% Files: [{Path, Mode, Content}]; Gone: [Path]; Load: [{Module, Path}]; Dead:
%% [Module]; Modules, Hard as in ask.erl; Trust: [Module], whose files were read over
%% this connection before, and not written since.
Write = fun({Path, Mode, Content}) ->
    case filelib:ensure_dir(Path) of
        ok ->
            case prim_file:write_file(Path, Content) of
                ok -> file:change_mode(Path, Mode), ok;
                {error, Why} -> {Path, Why}
            end;
        {error, Why} -> {Path, Why}
    end
end,
Delete = fun(Path) ->
    case prim_file:delete(Path) of
        ok -> ok;
        {error, enoent} -> ok;
        {error, Why} -> {Path, Why}
    end
end,
Unwritten = [X || X <- [Write(F) || F <- Files] ++ [Delete(P) || P <- Gone], X =/= ok],
%% Old code that nobody runs goes at once, so that it is not in the way of the next.
Purge = fun(M) ->
    case Hard of
        true -> Killed = Using(M), code:purge(M), Killed;
        false -> case code:soft_purge(M) of true -> []; false -> Using(M) end
    end
end,
%% With Hard, also what an earlier sync left.
Mine = case Hard of true -> [M || {M, _, _, _} <- Modules]; false -> [M || {M, _} <- Load] end ++ Dead,
Before = [{M, W} || M <- Mine, erlang:check_old_code(M), W <- [Purge(M)], W =/= []],
Read = fun(Path) -> {ok, B} = prim_file:read_file(Path), B end,
Loaded = case Unwritten =:= [] andalso Load =/= [] of
    true -> code:atomic_load([{M, unicode:characters_to_list(Path), Read(Path)} || {M, Path} <- Load]);
    false -> ok
end,
Loaded =:= ok andalso [code:delete(M) || M <- Dead],
erlang:function_exported(code, clear_cache, 0) andalso code:clear_cache(),
After = [{M, W} || M <- Mine, erlang:check_old_code(M), W <- [Purge(M)], W =/= []],
%% One that is not loaded is the file that will be.
Trusted = maps:from_list([{M, true} || M <- Trust]),
Same = fun(M, Sum, {Path, File}) ->
    case erlang:module_loaded(M) of
        true -> M:module_info(md5) =:= Sum;
        false -> maps:is_key(M, Trusted) orelse Try(fun() -> erlang:md5(Read(Path)) =:= File end, false)
    end
end,
#{
    unwritten => [{Path, atom_to_binary(Why)} || {Path, Why} <- Unwritten],
    loaded => case Loaded of ok -> []; {error, Reasons} -> [{M, unicode:characters_to_binary(io_lib:format("~tp", [R]))} || {M, R} <- Reasons] end,
    before => Before, later => After,
    differ => [M || {M, Sum, Built, In} <- Modules, not Same(M, Sum, Where(Built, In))] ++ [M || M <- Dead, erlang:module_loaded(M)]
}.
