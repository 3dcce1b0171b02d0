defmodule Demo.CounterTest do
  use ExUnit.Case, async: true

  import Demo.Eventually

  alias Demo.Counter

  # Replicas of one group on one node stand in for those of several nodes.
  defp replica(group, name) do
    start_supervised!({Counter, name: name, group: group}, id: name)
  end

  test "an increment reaches every replica" do
    one = replica(:all, :all_one)
    two = replica(:all, :all_two)
    assert Counter.add(one, 2) == 2
    eventually(fn -> Counter.value(two) == 2 end)
    assert Counter.add(two, 3) == 5
    eventually(fn -> Counter.value(one) == 5 end)
  end

  test "a replica that starts late learns what was counted" do
    one = replica(:late, :late_one)
    Counter.add(one, 7)
    two = replica(:late, :late_two)
    eventually(fn -> Counter.value(two) == 7 end)
  end

  test "a replica that lost its memory gets it back, and counts on" do
    one = replica(:lost, :lost_one)
    replica(:lost, :lost_two)
    Counter.add(:lost_two, 4)
    eventually(fn -> Counter.value(one) == 4 end)
    :ok = stop_supervised(:lost_two)
    replica(:lost, :lost_two)
    eventually(fn -> Counter.value(:lost_two) == 4 end)
    assert Counter.add(:lost_two, 1) == 5
    eventually(fn -> Counter.value(one) == 5 end)
  end
end
