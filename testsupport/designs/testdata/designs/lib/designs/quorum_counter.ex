defmodule Designs.QuorumCounter do
  @moduledoc """
  A counter whose additions are acknowledged by a majority. A replica has a set of
  additions, and a read merges those of a majority.

  An addition that no majority has stored is of unknown outcome: a minority has
  it, and a later read may find it.
  """
  use GenServer

  alias Designs.Majority

  def start_link(_), do: GenServer.start_link(__MODULE__, [], name: __MODULE__)

  def add(by) do
    case Majority.ask(__MODULE__, {:store, %{{node(), make_ref()} => by}}) do
      {:ok, _} -> {:ok, true}
      :none -> {:unknown, "no majority"}
    end
  end

  @doc "The sum of what a majority knows. It raises if there is none."
  def value do
    {:ok, answers} = Majority.ask(__MODULE__, :read)
    answers |> Enum.reduce(&Map.merge/2) |> Map.values() |> Enum.sum()
  end

  @impl true
  def init(_), do: {:ok, %{}}

  @impl true
  def handle_call({:store, new}, _from, additions), do: {:reply, :ok, Map.merge(additions, new)}
  def handle_call(:read, _from, additions), do: {:reply, additions, additions}
end
