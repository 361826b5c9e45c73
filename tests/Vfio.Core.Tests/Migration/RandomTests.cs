using System.Globalization;
using static Vfio.MigrationState;

namespace Vfio.Core.Tests.Migration;

/// <summary>
/// Arcs, resets, reads, writes and closes at once, from several threads: VFIO_MIGRATION_SEQUENCES says how many sequences of them.
/// </summary>
public sealed class RandomTests
{
    private const MigrationCapabilities P2P = MigrationCapabilities.StopCopy | MigrationCapabilities.P2P;
    private const MigrationCapabilities Precopy = MigrationCapabilities.StopCopy | MigrationCapabilities.PreCopy;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);
    private static readonly MigrationCapabilities[] Combinations = [MigrationCapabilities.StopCopy, P2P, Precopy, ScriptedMigration.All];

    private static int Sequences
        => int.Parse(Environment.GetEnvironmentVariable("VFIO_MIGRATION_SEQUENCES") ?? "400", CultureInfo.InvariantCulture);

    [Fact]
    public async Task Everything_at_once_keeps_the_states_legal_and_loses_no_reset()
    {
        for (var seed = 0; seed < Sequences; seed++)
            await RunAsync(seed);
    }

    private static async Task RunAsync(int seed)
    {
        var one = new Sequence(Combinations[seed % Combinations.Length], seed);
        Task[] workers = [one.DriveAsync(), one.DriveAsync(), one.MoveAsync(), one.MoveAsync(), one.DisturbAsync(), one.AskAsync()];
        try
        {
            await Task.WhenAll(workers).WaitAsync(Patience);
        }
        catch (TimeoutException)
        {
            Assert.Fail($"seed {seed} is stuck: {string.Join(", ", workers.Select(w => w.Status))}");
        }

        await one.EndAsync(seed);
    }

    private sealed class Sequence
    {
        private readonly RandomVariant _variant;
        private readonly ScriptedDevice _device;
        private readonly MigrationService _service;
        private readonly HashSet<MigrationState> _legal;
        private readonly List<MigrationDataStream> _streams = [];
        private volatile MigrationDataStream? _latest;
        private volatile bool _isOver;
        private int _driving = 2;

        public Sequence(MigrationCapabilities capabilities, int seed)
        {
            _variant = new(capabilities, seed);
            _device = new(_variant);
            _service = new(_device, null, Pool);
            _variant.ResetOneself = () => _device.Reset();
            _legal = [.. RandomVariant.Legal(capabilities).SelectMany(arc => new[] { arc.From, arc.To }), Error];
        }

        private CountingPool Pool { get; } = new();

        /// <summary>Asks for states, as a user does, and sometimes gives up.</summary>
        public async Task DriveAsync()
        {
            await Task.Yield();
            for (var i = 0; i < 25; i++)
            {
                using var giveUp = new CancellationTokenSource();
                var change = _service.SetStateAsync((MigrationState)_variant.Next(9), giveUp.Token).AsTask();
                if (_variant.Next(10) == 0)
                    await giveUp.CancelAsync();
                try
                {
                    if ((await change).Value is not { } stream)
                        continue;
                    _latest = stream;
                    lock (_streams)
                        _streams.Add(stream);
                    await Task.Yield();
                }
                catch (OperationCanceledException) when (giveUp.IsCancellationRequested)
                {
                }

                // A device that is broken, or refuses its data, is reset sooner or later.
                if (i % 8 == 7)
                    Reset();
            }

            _device.Reset();
            if (Interlocked.Decrement(ref _driving) > 0)
                return;
            _isOver = true;
            _latest = null;
            _device.Reset();
        }

        /// <summary>Reads and writes, and asks for the counts.</summary>
        public async Task MoveAsync()
        {
            var buffer = new byte[1 << 20];
            while (!_isOver)
            {
                await Task.Yield();
                if (_latest is not { } stream)
                    continue;
                using var giveUp = new CancellationTokenSource();
                Task move = _variant.Next(8) switch
                {
                    0 => stream.GetPrecopyInfoAsync(giveUp.Token).AsTask(),
                    < 5 => stream.ReadAsync(buffer.AsMemory(0, 1 + _variant.Next(buffer.Length)), giveUp.Token).AsTask(),
                    _ => stream.WriteAsync(buffer.AsMemory(0, _variant.Next(buffer.Length)), giveUp.Token).AsTask(),
                };
                if (_variant.Next(20) == 0)
                    await giveUp.CancelAsync();
                try
                {
                    await move;
                }
                catch (OperationCanceledException) when (giveUp.IsCancellationRequested)
                {
                }
            }
        }

        /// <summary>Resets and closes the device, and gives streams up.</summary>
        public async Task DisturbAsync()
        {
            while (!_isOver)
            {
                for (var n = _variant.Next(200); n > 0; n--)
                    await Task.Yield();
                if (_variant.Next(6) == 0 && _latest is { } given)
                    await given.DisposeAsync();
                else
                    await AssertOverAsync(Reset());
            }
        }

        /// <summary>Looks at the state.</summary>
        public async Task AskAsync()
        {
            while (!_isOver)
            {
                var state = (await _service.GetStateAsync(CancellationToken.None)).Value;
                Assert.Contains(state, _legal);
                Assert.True((await _service.GetDataSizeAsync(CancellationToken.None)).IsSuccess);
                await _service.EnablePrecopyInfoV2Async(CancellationToken.None);
                await Task.Yield();
            }
        }

        public async Task EndAsync(int seed)
        {
            // Nothing is under way: a reset is applied before it returns.
            var resets = _variant.Resets;
            _device.Reset();
            Assert.Equal(resets + 1, _variant.Resets);
            Assert.Equal(Running, (await _service.GetStateAsync(CancellationToken.None)).Value);
            foreach (var stream in _streams)
                await AssertOverAsync(stream);
            await _service.Settled.WaitAsync(Patience);
            Assert.True(_variant.Violations.IsEmpty, $"seed {seed}: {string.Join("; ", _variant.Violations)}");
            Assert.True(Pool.Outstanding == 0, $"seed {seed}: {Pool.Outstanding} buffers are still out");
        }

        // What was there before a reset is over when the reset returns, whatever is under way.
        private MigrationDataStream? Reset()
        {
            var stream = _latest;
            var causes = Enum.GetValues<ResetCause>();
            _device.Reset(causes[_variant.Next(causes.Length)]);
            return stream;
        }

        private static async Task AssertOverAsync(MigrationDataStream? stream)
        {
            if (stream is { IsSaving: true })
                Assert.Equal(Errno.ENODEV, (await stream.ReadAsync(new byte[1], CancellationToken.None)).Error);
            else if (stream is not null)
                Assert.Equal(Errno.ENODEV, (await stream.WriteAsync(new byte[1], CancellationToken.None)).Error);
        }
    }
}
