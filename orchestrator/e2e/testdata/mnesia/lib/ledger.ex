defmodule Ledger do
  @moduledoc """
  A table that is on the disks of three nodes, as many applications have one: written in
  transactions, and not made for a network that breaks.
  """
  use Application
  use GenServer

  @nodes 3
  @dir ~c"/tmp/ledger"

  @impl Application
  def start(_type, _args),
    do: Supervisor.start_link([__MODULE__], strategy: :one_for_one)

  def start_link(_), do: GenServer.start_link(__MODULE__, nil, name: __MODULE__)

  def put(key, value),
    do: :mnesia.transaction(fn -> :mnesia.write({__MODULE__, key, value}) end)

  def get(key), do: :mnesia.dirty_read(__MODULE__, key)

  @doc "The nodes that this one shares its table with, itself included."
  def shared, do: :lists.sort(:mnesia.table_info(__MODULE__, :active_replicas))

  @doc "Whether the table is here, and on all nodes."
  def ready?, do: :mnesia.wait_for_tables([__MODULE__], 1_000) == :ok and length(shared()) == @nodes

  @impl GenServer
  def init(_) do
    Application.put_env(:mnesia, :dir, @dir)
    if File.exists?(@dir), do: :ok = :mnesia.start(), else: send(self(), :form)
    {:ok, nil}
  end

  # The first node makes the schema, once it sees the others.
  @impl GenServer
  def handle_info(:form, state) do
    all = :lists.sort([node() | Node.list()])

    cond do
      File.exists?(@dir) -> :ok
      length(all) == @nodes and hd(all) == node() -> form(all)
      true -> Process.send_after(self(), :form, 50)
    end

    {:noreply, state}
  end

  defp form(all) do
    for n <- all, do: :ok = :rpc.call(n, Application, :put_env, [:mnesia, :dir, @dir])
    :ok = :mnesia.create_schema(all)
    for n <- all, do: :ok = :rpc.call(n, :mnesia, :start, [])
    {:atomic, :ok} = :mnesia.create_table(__MODULE__, attributes: [:key, :value], disc_copies: all)
  end
end
