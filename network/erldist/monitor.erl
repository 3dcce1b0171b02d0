%% Runs on the node, for Conn.MonitorNodes. A process of its own watches; it ends when
%% To does, or the connection to To: nothing of it stays. The rpc call that begins it
%% is answered once it watches.
%%
%% Nothing may be sent to a To whose connection went: net_kernel would look up its
%% host to connect to it, for as long as a name server is silent (5 s), and let nobody
%% else in meanwhile. So the watcher sends where there is a connection only: it may
%% hear that To's node went before it hears that To did. And it is not the process of
%% the call, whose end rpc would tell.
Caller = self(),
{Watcher, Started} = spawn_monitor(fun() ->
    Watch = erlang:monitor(process, To),
    Send = fun(Message) -> erlang:send(To, Message, [noconnect]) end,
    ok = net_kernel:monitor_nodes(true, [{node_type, all}, nodedown_reason]),
    Tell = fun(What, Node, Info) -> Send({beamyard_node, os:system_time(nanosecond), What, Node, Info}) end,
    [Tell(initial, Node, [{node_type, visible}]) || Node <- erlang:nodes(visible)],
    [Tell(initial, Node, [{node_type, hidden}]) || Node <- erlang:nodes(hidden)],
    Send({beamyard_watches}),
    Caller ! {self(), watches},
    Loop = fun Loop() ->
        receive
            {nodeup, Node, Info} -> Tell(up, Node, Info), Loop();
            {nodedown, Node, Info} -> Tell(down, Node, Info), Loop();
            {'DOWN', Watch, process, _, _} -> ok
        end
    end,
    Loop()
end),
receive
    {Watcher, watches} -> erlang:demonitor(Started, [flush]), ok;
    {'DOWN', Started, process, _, Why} -> exit(Why)
end.
