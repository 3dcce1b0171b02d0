# What Mix asks of Hex, for a test without a network: each package that it fetches has
# one module, whose only function says which Hex that was.
defmodule Hex do
  def start, do: Mix.SCM.append(Hex.SCM)
  def version, do: "9.9.9"
end

defmodule Hex.SCM do
  @behaviour Mix.SCM

  def fetchable?, do: true
  def format(_), do: "Hex package"
  def format_lock(_), do: nil
  def accepts_options(app, opts), do: Keyword.put_new(opts, :hex, to_string(app))
  def checked_out?(opts), do: File.dir?(opts[:dest])
  def lock_status(_), do: :ok
  def equal?(a, b), do: a[:hex] == b[:hex]
  def managers(_), do: [:mix]
  def update(opts), do: checkout(opts)

  def checkout(opts) do
    name = opts[:hex]
    module = Macro.camelize(name)
    File.mkdir_p!(Path.join(opts[:dest], "lib"))

    File.write!(Path.join(opts[:dest], "mix.exs"), """
    defmodule #{module}.MixProject do
      use Mix.Project
      def project, do: [app: :#{name}, version: "1.4.4", deps: []]
    end
    """)

    File.write!(Path.join(opts[:dest], "lib/#{name}.ex"), """
    defmodule #{module} do
      def encode!(_), do: "fetched by Hex #{Hex.version()}"
    end
    """)

    opts[:lock]
  end
end
