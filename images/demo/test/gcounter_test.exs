defmodule Demo.GCounterTest do
  use ExUnit.Case, async: true

  alias Demo.GCounter

  # Every pair and triple of these, in every order.
  @counters [
    %{},
    %{a: 1},
    %{a: 3},
    %{b: 2},
    %{a: 1, b: 5},
    %{a: 2, c: 7}
  ]

  test "merging is commutative, associative and idempotent" do
    for a <- @counters, b <- @counters, c <- @counters do
      assert GCounter.merge(a, b) == GCounter.merge(b, a)
      assert GCounter.merge(a, GCounter.merge(b, c)) == GCounter.merge(GCounter.merge(a, b), c)
      assert GCounter.merge(a, a) == a
    end
  end

  test "a merge never loses a count" do
    for a <- @counters, b <- @counters do
      assert GCounter.value(GCounter.merge(a, b)) >= max(GCounter.value(a), GCounter.value(b))
    end
  end

  test "replicas that count apart agree on the sum" do
    one = GCounter.new() |> GCounter.add(:one, 2) |> GCounter.add(:one, 3)
    two = GCounter.new() |> GCounter.add(:two, 4)
    assert one |> GCounter.merge(two) |> GCounter.value() == 9
  end
end
