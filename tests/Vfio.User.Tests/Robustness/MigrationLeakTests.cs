using Vfio.Core;
using Vfio.Tool.Migration;
using Vfio.User.Tests.Peers;

namespace Vfio.User.Tests.Robustness;

/// <summary>
/// Migrations over vfio-user sockets, both servers and both clients in this process: what 1,000 of a kind leave behind is what 200 leave.
/// </summary>
[Collection(ProcessWide.Name)]
public sealed class MigrationLeakTests : IAsyncDisposable
{
    private const int Repetitions = 1000;
    private const int Warm = 200;
    private const MigrationCapabilities All = MigrationCapabilities.StopCopy | MigrationCapabilities.P2P | MigrationCapabilities.PreCopy;
    private static readonly byte[] Content = [.. Enumerable.Range(0, 20_000).Select(i => (byte)(i * 7))];
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("vfio-leak-");
    private readonly CancellationTokenSource _end = new();
    private readonly List<Task> _servers = [];

    public async ValueTask DisposeAsync()
    {
        await _end.CancelAsync();
        foreach (var server in _servers)
            await server.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _directory.Delete(recursive: true);
    }

    [Fact]
    public async Task A_thousand_migrations_leave_nothing()
        => await RepeatAsync(async (source, destination, _) =>
        {
            var (from, to) = LocalConnection.Create();
            await using var here = from;
            await using var there = to;
            var receiving = new MigrationDestination([new("a", destination.MigrationOps!)]).ReceiveAsync(there, _end.Token);
            var summary = await new MigrationSource([new("A", source.MigrationOps!)]).SendAsync(here, _end.Token);
            Assert.True((await receiving).IsConfirmed);
            Assert.InRange(summary.Bytes, (ulong)Content.Length, (ulong)Content.Length + 10_000);
        });

    [Fact]
    public async Task A_thousand_cancelled_migrations_leave_nothing()
        => await RepeatAsync(async (source, destination, number) =>
        {
            using var given = new CancellationTokenSource();
            var (from, to) = LocalConnection.Create();
            await using var there = to;
            var receiving = new MigrationDestination([new("a", destination.MigrationOps!)]).ReceiveAsync(there, CancellationToken.None);
            var stage = (MigrationStage)(number % (int)MigrationStage.HandingOver);
            var options = new MigrationSourceOptions { Progress = new Trigger(at => at.Stage >= stage, given) };
            await using (from)
            {
                await Assert.ThrowsAnyAsync<OperationCanceledException>(
                    () => new MigrationSource([new("A", source.MigrationOps!)], options).SendAsync(from, given.Token));
            }

            await Assert.ThrowsAsync<MigrationFailedException>(() => receiving);
            Assert.Equal(MigrationState.Running, (await source.MigrationOps!.GetStateAsync(CancellationToken.None)).Value);
        });

    [Fact]
    public async Task A_thousand_clients_lost_in_the_middle_of_a_migration_leave_nothing()
        => await RepeatAsync(async (source, destination, number) =>
        {
            var lost = number % 2 == 0 ? source : destination;
            var (from, to) = LocalConnection.Create();
            await using var there = to;
            var receiving = new MigrationDestination([new("a", destination.MigrationOps!)]).ReceiveAsync(there, CancellationToken.None);
            var stage = (MigrationStage)(1 + (number % (int)MigrationStage.StopCopy));
            Task closing = Task.CompletedTask;
            var options = new MigrationSourceOptions
            {
                Progress = new Trigger(at => at.Stage >= stage, () => closing = lost.CloseAsync(ResetCause.ClientLost).AsTask()),
            };
            await using (from)
            {
                var sending = new MigrationSource([new("A", source.MigrationOps!)], options).SendAsync(from, CancellationToken.None);
                await Assert.ThrowsAsync<MigrationFailedException>(() => sending);
            }

            await Assert.ThrowsAsync<MigrationFailedException>(() => receiving);
            await closing;
        });

    private async Task RepeatAsync(Func<VfioUserDevice, VfioUserDevice, int, Task> migrate)
    {
        var source = new MovableDevice(Content, All);
        var destination = new MovableDevice(Content, All);
        var from = await ServeAsync(source, "from");
        var to = await ServeAsync(destination, "to");
        for (var i = 0; i < Warm; i++)
            await OnceAsync(i);
        var before = ProcessCounts.Now();
        for (var i = 0; i < Repetitions; i++)
            await OnceAsync(i);
        var after = ProcessCounts.Now();
        if (!after.IsNoMoreThan(before))
        {
            // The shared pool may keep some more segments of 256 KiB once; what leaks grows again.
            before = after;
            for (var i = 0; i < Repetitions; i++)
                await OnceAsync(i);
            after = ProcessCounts.Now();
        }

        Assert.True(after.IsNoMoreThan(before), $"{before} has become {after}");

        async Task OnceAsync(int number)
        {
            // Clients of their own each time: a connection, a session and the end of both belong to what is counted.
            var there = await OpenAsync(from);
            var here = await OpenAsync(to);
            source.Restore(Content);
            await migrate(there, here, number);
            await there.CloseAsync(ResetCause.Close);
            await here.CloseAsync(ResetCause.Close);
        }
    }

    private async Task<VfioUserEndpoint> ServeAsync(MovableDevice device, string name)
    {
        var endpoint = VfioUserEndpoint.Path(Path.Combine(_directory.FullName, name));
        var server = new VfioUserServer(device);
        _servers.Add(server.RunAsync(endpoint, _end.Token));
        await server.Listening;
        return endpoint;
    }

    private static async Task<VfioUserDevice> OpenAsync(VfioUserEndpoint endpoint)
    {
        var device = new VfioUserDevice(endpoint, new() { ResetOnOpen = false });
        Assert.Equal(VfioResult.Success, await device.OpenAsync(new() { Dma = new DmaSpace() }, CancellationToken.None));
        return device;
    }

    private sealed class Trigger(Func<MigrationProgress, bool> when, Action then) : IProgress<MigrationProgress>
    {
        private bool _done;

        public Trigger(Func<MigrationProgress, bool> when, CancellationTokenSource then)
            : this(when, then.Cancel)
        {
        }

        public void Report(MigrationProgress value)
        {
            if (_done || !when(value))
                return;
            _done = true;
            then();
        }
    }
}
