defmodule Designs.Majority do
  @moduledoc """
  Asks the replicas of a server, of which each of the three nodes has one.
  """

  @majority 2
  @patience 200

  @doc "The answers of a majority, or `:none` if fewer replicas answer within #{@patience} ms."
  def ask(server, request) do
    {answers, _} = GenServer.multi_call([node() | Node.list()], server, request, @patience)
    if length(answers) >= @majority, do: {:ok, Enum.map(answers, &elem(&1, 1))}, else: :none
  end
end
