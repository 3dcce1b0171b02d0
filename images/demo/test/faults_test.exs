if Code.ensure_loaded?(Beamyard.Case) do
  defmodule Demo.FaultsTest do
    # What the counter is for: `beamyard test` gives the suite the module Beamyard, which
    # breaks the cluster and repairs it after each test.
    use Beamyard.Case

    import Demo.Eventually

    @moduletag :mesh
    @moduletag nodes: 2

    setup do
      [one, two | _] = for node <- Beamyard.nodes(), do: node.node
      eventually(fn -> value(one) == value(two) end)
      {:ok, one: one, two: two, before: value(one)}
    end

    defp value(node), do: :erpc.call(node, Demo.Counter, :value, [])
    defp add(node, by), do: :erpc.call(node, Demo.Counter, :add, [by])
    defp agree(nodes, sum), do: eventually(fn -> Enum.all?(nodes, &(value(&1) == sum)) end)

    @tag faults: true
    test "both sides of a partition count on, and agree after it",
         %{one: one, two: two} = context do
      Beamyard.partition([[one]], how: :reset)
      refute two in :erpc.call(one, Node, :list, [])
      assert add(one, 10) == context.before + 10
      assert add(two, 20) == context.before + 20
      Beamyard.heal()
      agree([one, two], context.before + 30)
    end

    test "a node that was killed gets its count back", %{one: one, two: two, before: before} do
      add(two, 5)
      agree([one], before + 5)
      Beamyard.crash(two)
      add(one, 1)
      Beamyard.start(two)
      agree([one, two], before + 6)
    end

    test "connections that break for a moment lose nothing", %{one: one, two: two, before: before} do
      assert Beamyard.blip() > 0
      add(one, 1)
      add(two, 1)
      Beamyard.await_mesh()
      agree([one, two], before + 2)
    end
  end
else
  defmodule Demo.FaultsTest do
    use ExUnit.Case

    @moduletag :mesh

    @tag skip: "only the VM of beamyard test has the module Beamyard"
    test "the counter survives faults"
  end
end
