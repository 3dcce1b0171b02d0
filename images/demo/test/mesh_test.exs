defmodule Demo.MeshTest do
  # The nodes of a real cluster: `beamyard test` runs the suite connected to them,
  # and `mix test` alone leaves this out. Not async: the other tests count, too.
  use ExUnit.Case

  import Demo.Eventually

  @moduletag :mesh

  setup_all do
    nodes = System.get_env("BEAMYARD_NODE_NAMES", "") |> String.split(",", trim: true)
    {:ok, nodes: Enum.map(nodes, &String.to_atom/1)}
  end

  test "the suite is connected to every node, and they are to each other", %{nodes: nodes} do
    assert nodes != []
    assert Enum.sort(Node.list()) == Enum.sort(nodes)

    for node <- nodes do
      assert :erpc.call(node, Node, :list, []) |> Enum.sort() ==
               Enum.sort([node() | nodes] -- [node])
    end
  end

  test "what one node counts, all count", %{nodes: [first | _] = nodes} do
    sum = :erpc.call(first, Demo.Counter, :add, [5])

    for node <- [node() | nodes] do
      eventually(fn -> :erpc.call(node, Demo.Counter, :value, []) == sum end)
    end
  end
end
