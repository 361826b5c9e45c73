namespace Vfio.Core.Tests.Orchestration;

/// <summary>One migration of devices A, B, ... to their places a, b, ...</summary>
internal sealed class Rig
{
    public const MigrationCapabilities All = MigrationCapabilities.StopCopy | MigrationCapabilities.P2P | MigrationCapabilities.PreCopy;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    public Rig(int count = 1, MigrationCapabilities capabilities = All, Wire? wire = null)
    {
        Wire = wire ?? new();
        for (var i = 0; i < count; i++)
        {
            Sources.Add(new(World, $"{(char)('A' + i)}", capabilities, isSource: true)
            {
                PrecopyPieces = [[1, 2, 3, 4, 5, 6, 7], [8, 9]],
                Info = round => new(round == 0 ? 7ul : round == 1 ? 2ul : 0, 0, HasNewInitial: round == 1),
                StopCopyData = [10, 11, 12, 13, 14, 15, (byte)i],
            });
            var hasPrecopy = (capabilities & MigrationCapabilities.PreCopy) != 0;
            Destinations.Add(new(World, $"{(char)('a' + i)}", capabilities, isSource: false) { Whole = hasPrecopy ? null : 7 });
        }
    }

    public Rig(FakeWorld world, FakeDevice source, FakeDevice destination)
    {
        World = world;
        Wire = new();
        Sources.Add(source);
        Destinations.Add(destination);
    }

    public FakeWorld World { get; } = new();

    public List<FakeDevice> Sources { get; } = [];

    public List<FakeDevice> Destinations { get; } = [];

    public Wire Wire { get; }

    // The real clock's stalls are nobody's subject here.
    public MigrationSourceOptions SourceOptions { get; set; } = new() { DowntimeTarget = TimeSpan.FromHours(1) };

    public MigrationDestinationOptions DestinationOptions { get; set; } = new();

    public CancellationTokenSource SourceGivesUp { get; } = new();

    public CancellationTokenSource DestinationGivesUp { get; } = new();

    public MigrationSummary? Sent { get; private set; }

    public MigrationSummary? Received { get; private set; }

    public Exception? SourceFailure { get; private set; }

    public Exception? DestinationFailure { get; private set; }

    public bool DestinationRuns => Destinations.All(d => d.HasLoaded && d.State == MigrationState.Running);

    public static IReadOnlyList<MigratingDevice> Named(IEnumerable<FakeDevice> devices, string identity = "")
        => [.. devices.Select(d => new MigratingDevice(d.Name, d, identity))];

    /// <summary>Runs both sides to their ends; what a side throws is kept.</summary>
    public async Task RunAsync()
    {
        var source = Task.Run(async () =>
        {
            try
            {
                Sent = await new MigrationSource(Named(Sources), SourceOptions).SendAsync(Wire.Source, SourceGivesUp.Token);
            }
            catch (Exception e)
            {
                SourceFailure = e;
            }

            await Wire.Source.DisposeAsync();
        });
        var destination = Task.Run(async () =>
        {
            try
            {
                Received = await new MigrationDestination(Named(Destinations), DestinationOptions)
                    .ReceiveAsync(Wire.Destination, DestinationGivesUp.Token);
            }
            catch (Exception e)
            {
                DestinationFailure = e;
            }

            await Wire.Destination.DisposeAsync();
        });
        await Task.WhenAll(source, destination).WaitAsync(Patience);
    }

    /// <summary>Runs both sides, which must come to their end.</summary>
    public async Task SucceedAsync()
    {
        await RunAsync();
        Assert.Null(SourceFailure);
        Assert.Null(DestinationFailure);
        AssertMoved();
    }

    public void AssertMoved()
    {
        Assert.Null(World.Violation);
        Assert.All(Sources, d => Assert.Equal(MigrationState.Stop, d.State));
        Assert.All(Destinations, d => Assert.Equal(MigrationState.Running, d.State));
        foreach (var (from, to) in Sources.Zip(Destinations))
            Assert.Equal(from.Emitted.ToArray(), to.Accepted.ToArray());
        AssertNothingLeft();
    }

    /// <summary>What holds whatever happened: at most one side runs, and each side says truly which.</summary>
    public void AssertHonest()
    {
        Assert.Null(World.Violation);
        AssertNothingLeft();
        if (SourceFailure is null)
        {
            AssertMoved();
            return;
        }

        if (SourceFailure is MigrationFailedException { Outcome: MigrationOutcome.DestinationMayRun })
        {
            Assert.All(Sources, d => Assert.Equal(MigrationState.Stop, d.State));
            return;
        }

        if (SourceFailure is not OperationCanceledException)
            Assert.Equal(MigrationOutcome.SourceRuns, Assert.IsType<MigrationFailedException>(SourceFailure).Outcome);
        Assert.All(Sources, d => Assert.Equal(MigrationState.Running, d.State));
        Assert.NotNull(DestinationFailure);
        Assert.DoesNotContain(Destinations, d => d.HasLoaded && d.IsRunning);
    }

    private void AssertNothingLeft() => Assert.All(Sources.Concat(Destinations), d => Assert.Equal(0, d.OpenStreams));
}
