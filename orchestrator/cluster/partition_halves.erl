%% Runs on a node, for Cluster.Disconnect and Cluster.Reconnect: it refuses the
%% nodes of Cut, [{Node, Cookie}], and takes those of Mend, [Node], again.
%%
%% global is held meanwhile. It tells every node that it is still connected to of
%% each one that it lost, and those leave that one (kernel(6),
%% prevent_overlapping_partitions). Of nodes that all go at once none is to hear of
%% the others, who are innocent. It goes on by itself if this process ends.
Global = whereis(global_name_server),
Kinds = [{node_type, all}],
%% The VM refuses that at times, with internal_error, and takes it a moment later. A
%% node whose global cannot be held is not cut: it is told again.
Hold = fun Hold(0) -> error(global_is_not_held);
           Hold(Tries) -> try erlang:suspend_process(Global)
                          catch error:_ -> receive after 10 -> Hold(Tries - 1) end end end,
Held = Cut =/= [] andalso is_pid(Global) andalso Hold(50),
[true = erlang:set_cookie(Node, erlang:get_cookie()) || Node <- Mend],
[true = erlang:set_cookie(Node, Cookie) || {Node, Cookie} <- Cut],
ok = net_kernel:monitor_nodes(true, Kinds),
Connected = nodes(connected),
[erlang:disconnect_node(Node) || {Node, _} <- Cut],
%% Each has gone when that is told. 4 s bound how long global is held, for all together.
Late = erlang:send_after(4000, self(), late),
Gone = fun Gone([]) -> ok;
           Gone(Left) -> receive {nodedown, Node, _} -> Gone(lists:delete(Node, Left)); late -> ok end end,
Gone([Node || {Node, _} <- Cut, lists:member(Node, Connected)]),
erlang:cancel_timer(Late),
ok = net_kernel:monitor_nodes(false, Kinds),
Held andalso erlang:resume_process(Global),
ok.
