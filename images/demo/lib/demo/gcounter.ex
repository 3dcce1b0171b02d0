defmodule Demo.GCounter do
  @moduledoc """
  A counter that only grows, as a map from replica to what that replica counted.

  Replicas merge by the larger count of each. Merging is commutative,
  associative and idempotent, so replicas that have exchanged their maps, in any
  order and however often, agree.
  """

  @type replica :: term
  @type t :: %{replica => non_neg_integer}

  @spec new() :: t
  def new, do: %{}

  @doc "Counts `by` more on behalf of a replica."
  @spec add(t, replica, pos_integer) :: t
  def add(counter, replica, by), do: Map.update(counter, replica, by, &(&1 + by))

  @spec merge(t, t) :: t
  def merge(a, b), do: Map.merge(a, b, fn _replica, x, y -> max(x, y) end)

  @spec value(t) :: non_neg_integer
  def value(counter), do: counter |> Map.values() |> Enum.sum()
end
