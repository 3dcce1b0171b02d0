# Stands in for a payment service: takes an amount, tells the shop at $SHOP of it, as
# a webhook does, and gives back what the shop answered.
{:ok, listener} = :gen_tcp.listen(8080, [:binary, active: false])
IO.puts("open")

for client <- Stream.repeatedly(fn -> elem(:gen_tcp.accept(listener), 1) end) do
  {:ok, amount} = :gen_tcp.recv(client, 0)
  {:ok, shop} = :gen_tcp.connect(to_charlist(System.fetch_env!("SHOP")), 4000, [:binary, active: false])
  :ok = :gen_tcp.send(shop, "POST /counter?by=#{amount} HTTP/1.1\r\nhost: shop\r\n\r\n")
  {:ok, "HTTP/1.1 " <> answer} = :gen_tcp.recv(shop, 0)
  :ok = :gen_tcp.send(client, binary_part(answer, 0, 3))
  :ok = :gen_tcp.close(client)
end
