%% Runs on the node: everything that a health report needs of it, in one go.
%% App is the application, or '-'; Md5s: also the MD5 of each of its modules;
%% Window: milliseconds over which the load is measured, 0 for not at all.
%% What cannot be told on this node or system is the atom unknown.
%% It is one fun, because an evaluation is answered with all its variables.
(fun() ->
Try = fun(F) -> try F() catch _:_ -> unknown end end,
%% Files of /proc and cgroups are read without the file server, and parsed by us.
Read = fun(Path) -> case prim_file:read_file(Path) of {ok, Text} -> Text; _ -> unknown end end,
Ticks = fun() -> {element(1, statistics(runtime)), element(1, statistics(wall_clock))} end,
Before = Ticks(),
Queue = statistics(total_run_queue_lengths),
Window > 0 andalso receive after Window -> ok end,
After = Ticks(),
Release = Try(fun() -> list_to_integer(erlang:system_info(otp_release)) end),
%% Whether global connects all nodes with each other, and so keeps their names the same.
Mesh = Try(fun() -> application:get_env(kernel, connect_all, true) end) =:= true,
Info = fun(Key) -> Try(fun() -> erlang:system_info(Key) end) end,
%% A module that is not loaded is the file that the node would load: the first of
%% that name in the code path. Mix puts its consolidated protocols before all
%% applications. code:which/1 lists every folder for every module again.
Md5 = fun(Ahead, Ebin, M) ->
    case erlang:module_loaded(M) of
        true -> M:module_info(md5);
        false ->
            File = atom_to_list(M) ++ ".beam",
            [Dir | _] = [D || {D, Files} <- Ahead, lists:member(File, Files)] ++ [Ebin],
            {ok, {M, Sum}} = beam_lib:md5(filename:join(Dir, File)),
            Sum
    end
end,
Modules = fun() ->
    Ebin = filename:join(code:lib_dir(App), "ebin"),
    %% What application:get_key/2 tells is of the time when the application was
    %% loaded: a sync adds and removes modules since.
    Listed = Try(fun() ->
        {ok, Text} = prim_file:read_file(filename:join(Ebin, atom_to_list(App) ++ ".app")),
        {ok, Tokens, _} = erl_scan:string(unicode:characters_to_list(Text)),
        {ok, {application, App, Keys}} = erl_parse:parse_term(Tokens),
        {modules, Names} = lists:keyfind(modules, 1, Keys),
        Names
    end),
    Names = case Listed of
        unknown -> {ok, Loaded} = application:get_key(App, modules), Loaded;
        _ -> Listed
    end,
    Path = case lists:all(fun(M) -> erlang:module_loaded(M) end, Names) of
        true -> [];
        false -> lists:takewhile(fun(D) -> D =/= Ebin end, code:get_path())
    end,
    Ahead = [{D, Files} || D <- Path, {ok, Files} <- [prim_file:list_dir(D)]],
    [{M, Try(fun() -> Md5(Ahead, Ebin, M) end)} || M <- Names]
end,
#{
    otp => list_to_binary(erlang:system_info(otp_release)),
    visible => nodes(visible),
    hidden => nodes(hidden),
    apps => Try(fun() -> [A || {A, _, _} <- application:which_applications()] end),
    memory => Try(fun() -> erlang:memory() end),
    processes => {Info(process_count), Info(process_limit)},
    ports => {Info(port_count), Info(port_limit)},
    atoms => {Info(atom_count), Info(atom_limit)},
    tables => {Info(ets_count), Info(ets_limit)},
    %% One of them is the listing's own.
    files => Try(fun() -> {ok, Fds} = prim_file:list_dir("/proc/self/fd"), length(Fds) - 1 end),
    limits => Read("/proc/self/limits"),
    %% Version 1 is looked for only where there is no version 2.
    cgroup => case Read("/sys/fs/cgroup/memory.current") of
        unknown -> [Read("/sys/fs/cgroup/memory/memory." ++ F) || F <- ["usage_in_bytes", "limit_in_bytes", "stat"]];
        Used -> [Used, Read("/sys/fs/cgroup/memory.max"), Read("/sys/fs/cgroup/memory.stat")]
    end,
    run_queue => Queue,
    schedulers => erlang:system_info(schedulers_online),
    ticks => {Before, After},
    encoding => file:native_name_encoding(),
    heart => whereis(heart) =/= undefined,
    %% net_kernel:set_net_ticktime/1 changes the first while the node runs.
    net_tick => Try(fun() -> case net_kernel:get_net_ticktime() of {_, New} -> New; Tick -> Tick end end),
    tick_intensity => Try(fun() -> application:get_env(kernel, net_tickintensity, 4) end),
    auto_connect => Try(fun() -> application:get_env(kernel, dist_auto_connect, unknown) end),
    prevent_overlapping => Mesh andalso Try(fun() -> application:get_env(kernel, prevent_overlapping_partitions, Release >= 25) end),
    %% Where Mnesia runs: whom it works with, and whom its schema names.
    mnesia => case whereis(mnesia_monitor) of
        undefined -> unknown;
        _ -> Try(fun() -> {mnesia:system_info(running_db_nodes), mnesia:system_info(db_nodes)} end)
    end,
    %% The lock under which global registers names: who took it first, and its monitor,
    %% which is another one each time it is taken. The table is global's own, the same in
    %% OTP 25 to 27.
    global_lock => Try(fun() ->
        [{_, _, Holders}] = ets:lookup(global_locks, global),
        {Holder, Ref} = lists:last(Holders),
        {list_to_binary(pid_to_list(Holder)), node(Holder), list_to_binary(ref_to_list(Ref))}
    end),
    %% The nodes that global keeps the same names with. Global groups would limit them.
    synced => case Mesh andalso application:get_env(kernel, global_groups) =:= undefined of
        true -> Try(fun() -> gen_server:call(global_name_server, get_synced, 500) end);
        false -> unknown
    end,
    %% Names that global has for processes of this node: some are enough, as there can be
    %% many. The number tells those apart whose text is cut.
    names => Try(fun() ->
        Own = [{{'$1', '$2', '_', '_'}, [{'=:=', {node, '$2'}, node()}], ['$1']}],
        case ets:select(global_names, Own, 500) of
            {Names, _} -> [{erlang:phash2(N), unicode:characters_to_binary(io_lib:format("~0tp", [N], [{chars_limit, 100}]))} || N <- Names];
            '$end_of_table' -> []
        end
    end),
    modules => case Md5s of true -> Try(Modules); false -> unknown end
}
end)().
