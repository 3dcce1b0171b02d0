%% Runs on the node, for Conn.MonitorNodes, as the process of one rpc call. It
%% ends when To does, or the connection to To: nothing of it stays.
Watch = erlang:monitor(process, To),
ok = net_kernel:monitor_nodes(true, [{node_type, all}, nodedown_reason]),
Tell = fun(What, Node, Info) -> To ! {beamyard_node, os:system_time(nanosecond), What, Node, Info} end,
[Tell(initial, Node, [{node_type, visible}]) || Node <- erlang:nodes(visible)],
[Tell(initial, Node, [{node_type, hidden}]) || Node <- erlang:nodes(hidden)],
To ! {beamyard_watches},
Loop = fun Loop() ->
    receive
        {nodeup, Node, Info} -> Tell(up, Node, Info), Loop();
        {nodedown, Node, Info} -> Tell(down, Node, Info), Loop();
        {'DOWN', Watch, process, _, _} -> ok
    end
end,
Loop().
