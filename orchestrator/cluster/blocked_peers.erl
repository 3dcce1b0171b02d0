%% Runs on a node, for Cluster.Disconnect and Cluster.Reconnect: it blocks the nodes of
%% Block, [{Node, Cookie}], and accepts those of Unblock, [Node], again.
%%
%% global is suspended meanwhile. It reports each node that it lost to every node that it
%% is still connected to, and those disconnect from the lost one (kernel(6),
%% prevent_overlapping_partitions). Of nodes that all go at once, none must hear about the
%% others. global resumes by itself if this process ends.
Global = whereis(global_name_server),
Kinds = [{node_type, all}],
%% The VM refuses this at times, with internal_error, and accepts it a moment later. A node
%% whose global cannot be suspended blocks nobody: the supervisor tries again.
Hold = fun Hold(0) -> error(global_is_not_held);
           Hold(Tries) -> try erlang:suspend_process(Global)
                          catch error:_ -> receive after 10 -> Hold(Tries - 1) end end end,
Held = Block =/= [] andalso is_pid(Global) andalso Hold(50),
[true = erlang:set_cookie(Node, erlang:get_cookie()) || Node <- Unblock],
[true = erlang:set_cookie(Node, Cookie) || {Node, Cookie} <- Block],
ok = net_kernel:monitor_nodes(true, Kinds),
Connected = nodes(connected),
[erlang:disconnect_node(Node) || {Node, _} <- Block],
%% Each has gone once nodedown is reported. Global is suspended for at most 4 s.
Late = erlang:send_after(4000, self(), late),
Gone = fun Gone([]) -> ok;
           Gone(Left) -> receive {nodedown, Node, _} -> Gone(lists:delete(Node, Left)); late -> ok end end,
Gone([Node || {Node, _} <- Block, lists:member(Node, Connected)]),
erlang:cancel_timer(Late),
ok = net_kernel:monitor_nodes(false, Kinds),
Held andalso erlang:resume_process(Global),
ok.
