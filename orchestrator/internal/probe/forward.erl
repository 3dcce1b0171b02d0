%% Runs on the node: takes connections to Port at the container's own addresses, and
%% hands them on to To, where the application listens. Name is that of the process
%% that does it. It ends by itself as soon as the application listens there no more.
%% The value is ok, or {error, Reason}.
Options = [binary, {active, false}, {packet, raw}, {nodelay, true}, {exit_on_close, false}, {buffer, 65536}],
Family = case tuple_size(To) of 8 -> [inet6]; _ -> [inet] end,
%% One direction. The end of one is handed on, and the other goes on: clients close
%% their half when they have asked.
Pump = fun Pump(From, Into) ->
    case gen_tcp:recv(From, 0) of
        {ok, Data} ->
            case gen_tcp:send(Into, Data) of
                ok -> Pump(From, Into);
                {error, _} -> ok
            end;
        {error, _} -> gen_tcp:shutdown(Into, write)
    end
end,
%% Both sockets are this process's: they close when it ends.
Serve = fun(Client) ->
    receive go -> ok end,
    case gen_tcp:connect(To, Port, Family ++ Options, 5000) of
        {ok, App} ->
            {_, Back} = spawn_monitor(fun() -> Pump(App, Client) end),
            Pump(Client, App),
            receive {'DOWN', Back, _, _, _} -> ok end;
        {error, _} -> ok
    end
end,
Accept = fun Accept(Socket) ->
    case gen_tcp:accept(Socket) of
        {ok, Client} ->
            Pid = spawn(fun() -> Serve(Client) end),
            case gen_tcp:controlling_process(Client, Pid) of
                ok -> Pid ! go;
                {error, _} -> exit(Pid, kill), gen_tcp:close(Client)
            end,
            Accept(Socket);
        {error, closed} -> ok;
        {error, _} -> receive after 100 -> Accept(Socket) end %% no more files, or ports
    end
end,
Listens = fun(Socket) ->
    erlang:port_info(Socket, name) =:= {name, "tcp_inet"}
        andalso (catch inet:sockname(Socket)) =:= {ok, {To, Port}}
        andalso (catch inet:peername(Socket)) =:= {error, enotconn}
end,
Owner = fun(Asker, Ref) ->
    group_leader(whereis(init), self()),
    case (catch register(Name, self())) of
        true ->
            {ok, Interfaces} = inet:getifaddrs(),
            Own = [A || {_, Is} <- Interfaces, {addr, A} <- Is, tuple_size(A) =:= 4, element(1, A) =/= 127],
            Sockets = [gen_tcp:listen(Port, [inet, {ip, A}, {reuseaddr, true}, {backlog, 1024} | Options]) || A <- Own],
            case [E || {error, _} = E <- Sockets] of
                [] ->
                    [erlang:monitor(port, P) || P <- erlang:ports(), Listens(P)],
                    [spawn_link(fun() -> Accept(S) end) || {ok, S} <- Sockets],
                    Asker ! {Ref, ok},
                    receive {'DOWN', _, port, _, _} -> ok; stop -> ok end;
                [Error | _] -> Asker ! {Ref, Error}
            end;
        _ -> Asker ! {Ref, ok} %% somebody else asked first
    end
end,
Asker = self(),
Ref = make_ref(),
{_, Ended} = spawn_monitor(fun() -> Owner(Asker, Ref) end),
receive
    {Ref, Said} -> erlang:demonitor(Ended, [flush]), Said;
    {'DOWN', Ended, _, _, Why} -> {error, Why}
end.
