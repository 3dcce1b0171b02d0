defmodule Demo.ClusterTest do
  # Whole VMs that are cut from each other and meet again. The test's own VM is
  # no part of their cluster: it speaks to them beside the distribution.
  use ExUnit.Case, async: true

  import Demo.Eventually

  # `dist_auto_connect never`: a cut lasts until `meet` ends it, though the
  # replicas go on sending.
  defp start(name) do
    paths = Enum.flat_map(:code.get_path(), &[~c"-pa", &1])

    {:ok, peer, node} =
      :peer.start_link(%{
        name: :"#{name}-#{System.pid()}",
        host: ~c"127.0.0.1",
        longnames: true,
        connection: {{127, 0, 0, 1}, 0},
        env: [{~c"PORT", ~c"0"}],
        args: [~c"-setcookie", ~c"demo", ~c"-kernel", ~c"dist_auto_connect", ~c"never" | paths]
      })

    {:ok, _} = call({peer, node}, :application, :ensure_all_started, [:demo])
    {peer, node}
  end

  defp call({peer, _}, module, fun, args), do: :peer.call(peer, module, fun, args)
  defp value(at), do: call(at, Demo.Counter, :value, [])
  defp add(at, by), do: call(at, Demo.Counter, :add, [by])
  defp meet(a, {_, b}), do: assert(call(a, :net_kernel, :connect_node, [b]))
  defp cut(a, {_, b}), do: assert(call(a, :erlang, :disconnect_node, [b]))
  defp agree(nodes, n), do: eventually(fn -> Enum.all?(nodes, &(value(&1) == n)) end)

  test "nodes that meet agree, also on what they counted while apart" do
    a = start("split-a")
    b = start("split-b")
    add(a, 1)
    add(b, 2)
    meet(a, b)
    agree([a, b], 3)

    cut(a, b)
    assert add(a, 10) == 13
    assert add(b, 20) == 23
    meet(b, a)
    agree([a, b], 33)
  end

  test "an increment amid the meeting is not missed" do
    a = start("amid-a")
    b = start("amid-b")

    for n <- 1..100 do
      meet(a, b)
      add(a, 1)
      agree([a, b], n)
      cut(a, b)
      eventually(fn -> call(b, :erlang, :nodes, []) == [] end)
    end
  end

  test "a replica whose :pg crashed is back in the group, with what it counted" do
    a = start("pg-a")
    b = start("pg-b")
    meet(a, b)
    add(a, 5)
    agree([a, b], 5)
    old = call(a, Process, :whereis, [Demo.Counter])
    call(a, Process, :exit, [call(a, Process, :whereis, [Demo.Counter.scope()]), :kill])
    eventually(fn -> call(a, Process, :whereis, [Demo.Counter]) not in [nil, old] end)
    agree([a, b], 5)
    add(b, 1)
    agree([a, b], 6)
    add(a, 1)
    agree([a, b], 7)
  end

  test "a node that died gets its count back, and counts on" do
    a = start("died-a")
    {peer, _} = b = start("died-b")
    meet(a, b)
    add(b, 5)
    agree([a, b], 5)
    :ok = :peer.stop(peer)

    b = start("died-b")
    add(b, 1)
    meet(b, a)
    agree([a, b], 6)
    add(b, 1)
    agree([a, b], 7)
  end
end
