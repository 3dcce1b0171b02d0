defmodule Demo.Watch do
  @moduledoc """
  Tells a replica which others it meets.

  A process beside the replica, because `:pg` crashes when a process ends that is a
  member and monitors, too: erlang/otp#7625, in Debian bookworm's 25.2.3.
  `:pg.monitor/2` is there since OTP 25.1. A `GenServer`, because a process that
  waits in code of its own would run the old one after new was loaded.
  """
  use GenServer

  @doc "Watches a group of a scope on behalf of a process, and is linked to it."
  def start_link({scope, group, counter}),
    do: GenServer.start_link(__MODULE__, {scope, group, counter})

  @impl true
  def init({scope, group, counter}) do
    {monitor, members} = :pg.monitor(scope, group)
    send(counter, {:met, members})
    {:ok, {monitor, counter}}
  end

  @impl true
  def handle_info({monitor, :join, _group, joined}, {monitor, counter} = state) do
    send(counter, {:met, joined})
    {:noreply, state}
  end

  def handle_info({monitor, :leave, _group, _left}, {monitor, _} = state), do: {:noreply, state}
end
