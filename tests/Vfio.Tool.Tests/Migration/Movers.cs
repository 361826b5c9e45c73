using Vfio.User;
using Vfio.User.Tests.Peers;

namespace Vfio.Tool.Tests.Migration;

/// <summary>A device to be moved and one to take its place, each served by a server that keeps it between clients.</summary>
internal sealed class Movers : IAsyncDisposable
{
    public const string Function = "ffff:00:00.0";
    private readonly CancellationTokenSource _end = new();
    private readonly List<Task> _servers = [];

    private Movers(MovableDevice source, MovableDevice destination) => (Source, Destination) = (source, destination);

    public static byte[] Content { get; } = [.. Enumerable.Range(0, 300_000).Select(i => (byte)(i * 31))];

    public DirectoryInfo Directory { get; } = System.IO.Directory.CreateTempSubdirectory("vfio-move-");

    public MovableDevice Source { get; }

    public MovableDevice Destination { get; }

    public static async Task<Movers> StartAsync(ushort destinationId = 0x1572)
    {
        const MigrationCapabilities All = MigrationCapabilities.StopCopy | MigrationCapabilities.P2P | MigrationCapabilities.PreCopy;
        var movers = new Movers(new(Content, All), new([], All, destinationId));
        await movers.ServeAsync(movers.Source, "source");
        await movers.ServeAsync(movers.Destination, "destination");
        return movers;
    }

    public string Path(string name) => System.IO.Path.Combine(Directory.FullName, name);

    /// <summary>Moves the source's device.</summary>
    public Task<CliResult> MigrateAsync(string to, params string[] more)
        => Cli.RunAsync(["--remote", Path("source"), "migrate", Function, "--to", to, .. more]);

    /// <summary>Takes it over, and says where once it waits.</summary>
    public (Task<CliResult> Ended, Task<string> Waiting) Restore(string from, params string[] more)
    {
        var heard = new HeardText();
        var waiting = heard.Line("waiting on ");
        string[] args = ["--remote", Path("destination"), "restore", from, Function, .. more];
        return (Task.Run(() => Cli.RunAsync(heard, TestContext.Current.CancellationToken, args)), waiting);
    }

    public async Task AssertMovedAsync()
    {
        Assert.Equal(Content, Destination.State);
        Assert.Equal(MigrationState.Running, (await Destination.MigrationOps.GetStateAsync(CancellationToken.None)).Value);
        Assert.Equal(MigrationState.Stop, (await Source.MigrationOps.GetStateAsync(CancellationToken.None)).Value);
    }

    public async Task AssertNotMovedAsync()
    {
        Assert.Empty(Destination.State);
        Assert.Equal(Content, Source.State);
        Assert.Equal(MigrationState.Running, (await Source.MigrationOps.GetStateAsync(CancellationToken.None)).Value);
    }

    public async ValueTask DisposeAsync()
    {
        await _end.CancelAsync();
        foreach (var server in _servers)
            await server.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        Directory.Delete(recursive: true);
        _end.Dispose();
    }

    private async Task ServeAsync(MovableDevice device, string name)
    {
        var server = new VfioUserServer(device, new() { KeepOpen = true });
        _servers.Add(server.RunAsync(VfioUserEndpoint.Path(Path(name)), _end.Token));
        await server.Listening;
    }
}
