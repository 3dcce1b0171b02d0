defmodule Printer.Application do
  @moduledoc "Prints every `$PRINT_EVERY` milliseconds (20)."
  use Application

  @impl true
  def start(_type, _args) do
    every = String.to_integer(System.get_env("PRINT_EVERY", "20"))
    Supervisor.start_link([{Printer, every}], strategy: :one_for_one)
  end
end

defmodule Printer do
  @moduledoc """
  Numbers lines on both streams, from 1 in each run of the VM:

      out 1764000000000000 1
      err 1764000000000000 1

  The first number is the run's, so that a reader can tell the runs apart and
  see that none of a run's lines is missing, twice, or out of order.
  """
  use GenServer

  @block 16 * 1024 * 1024

  def start_link(every), do: GenServer.start_link(__MODULE__, every, name: __MODULE__)

  @doc "Takes memory until the kernel ends the VM. Returns before that."
  def eat do
    spawn(fn ->
      Process.sleep(50)
      eat([])
    end)

    :ok
  end

  # A copy touches every page: what is only reserved counts for no limit.
  defp eat(held), do: eat([:binary.copy(<<1>>, @block) | held])

  @impl true
  def init(every) do
    {:ok, {every, System.os_time(:microsecond), 1}, {:continue, :print}}
  end

  @impl true
  def handle_continue(:print, state), do: print(state)

  @impl true
  def handle_info(:print, state), do: print(state)

  defp print({every, run, k}) do
    IO.puts("out #{run} #{k}")
    IO.puts(:stderr, "err #{run} #{k}")
    Process.send_after(self(), :print, every)
    {:noreply, {every, run, k + 1}}
  end
end
