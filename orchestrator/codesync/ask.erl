%% Runs on a node, before anything is changed on any: which files it lacks, which
%% modules it would load, and which processes are in the way: they run the code
%% before the present one.
%% Files: [{Path, Md5}]; Gone: [Path]; Modules; Dead: [Module]; Hard: such processes
%% are killed, so none is in the way. Trust as in apply.erl. A module to load is
%% {Module, Path, New}. Stale are modules whose file here is another one than the
%% compiler's and not in Files: a compiler that was lost gave it to us.
%% An empty file is one that was taken from a container that did not run.
Md5 = fun(Path) -> case prim_file:read_file(Path) of {ok, B} -> erlang:md5(B); _ -> none end end,
Lacks = [Path || {Path, Sum} <- Files, Md5(Path) =/= Sum],
There = [Path || Path <- Gone, element(1, prim_file:read_link_info(Path)) =:= ok],
Load = [{M, Path, New} || {M, Sum, Built, In} <- Modules, {Path, _} <- [Where(Built, In)],
    case erlang:module_loaded(M) of
        true -> M:module_info(md5) =/= Sum;
        false -> lists:member(Path, Lacks)
    end,
    New <- [not erlang:module_loaded(M) andalso element(1, prim_file:read_link_info(Path)) =/= ok]],
Die = [M || M <- Dead, erlang:module_loaded(M) orelse lists:any(fun(P) -> filename:basename(P, ".beam") =:= atom_to_binary(M) andalso filelib:file_size(P) > 0 end, There)],
Given = maps:from_list(Files),
Trusted = maps:from_list([{M, true} || M <- Trust]),
Stale = [M || {M, Sum, Built, In} <- Modules, {Path, File} <- [Where(Built, In)], not is_map_key(Path, Given),
    case erlang:module_loaded(M) of
        true -> M:module_info(md5) =/= Sum;
        false -> not is_map_key(M, Trusted)
    end,
    Md5(Path) =/= File],
InTheWay = case Hard of
    true -> [];
    false -> [{M, Using(M)} || M <- [X || {X, _, _} <- Load] ++ Die, erlang:check_old_code(M), not code:soft_purge(M)]
end,
#{lacks => Lacks, there => There, load => Load, dead => Die, in_the_way => InTheWay, stale => Stale}.
