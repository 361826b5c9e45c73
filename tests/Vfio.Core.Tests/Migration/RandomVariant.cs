using System.Buffers;
using System.Collections.Concurrent;
using static Vfio.MigrationState;

namespace Vfio.Core.Tests.Migration;

/// <summary>A variant that does anything that a variant may do, and looks from below at what the service promises it.</summary>
internal sealed class RandomVariant(MigrationCapabilities capabilities, int seed) : IMigration
{
    private readonly Lock _lock = new();
    private readonly Random _random = new(seed);
    private readonly HashSet<MigrationArc> _arcs = Legal(capabilities);
    private MigrationState _state = Running;
    private int _inStep;
    private int _inStream;
    private int _resets;

    public ConcurrentQueue<string> Violations { get; } = [];

    public Action ResetOneself { get; set; } = () => { };

    public MigrationCapabilities Capabilities => capabilities;

    public int Resets => Volatile.Read(ref _resets);

    public ulong StopCopySize => 1;

    public PrecopyInfo PrecopyInfo
    {
        get
        {
            Check(_state is PreCopy or PreCopyP2P, $"asked for the counts in {_state}");
            return new((ulong)Chance(3, 1), (ulong)Chance(2, 1), Chance(5, 1) > 0);
        }
    }

    public async ValueTask<VfioResult> StepAsync(MigrationArc arc, MigrationSession? session, CancellationToken cancellationToken)
    {
        Check(Interlocked.Increment(ref _inStep) == 1, $"{arc} beside another step");
        Check(arc.From == _state, $"{arc} in {_state}");
        Check(_arcs.Contains(arc), $"{arc} is no arc of {capabilities}");
        var saving = arc.From is StopCopy or PreCopy or PreCopyP2P || arc.To is StopCopy or PreCopy or PreCopyP2P;
        var resuming = arc.From == Resuming || arc.To == Resuming;
        Check((session?.Saving is not null) == saving && (session?.Resuming is not null) == resuming, $"{arc} with the wrong session");
        if (arc.From is StopCopy or Resuming || (saving && arc.To is Running or RunningP2P))
            Check(Volatile.Read(ref _inStream) == 0, $"{arc} while a save or a load runs");
        try
        {
            var dice = Next(40);
            if (dice < 20)
                await Task.Yield();
            if (dice == 0)
                ResetOneself();
            if (dice == 1)
                throw new InvalidOperationException("as a variant may");
            if (dice == 2)
                cancellationToken.ThrowIfCancellationRequested();
            var answer = dice is 3 or 4 ? Errno.EBUSY : dice == 5 ? Errno.ENOTRECOVERABLE : Errno.None;
            _state = answer == Errno.None ? arc.To : answer == Errno.ENOTRECOVERABLE ? Error : _state;
            return answer;
        }
        finally
        {
            Interlocked.Decrement(ref _inStep);
        }
    }

    public ValueTask<VfioResult> SaveAsync(MigrationSession session, MigrationState phase, CancellationToken cancellationToken)
        => InStreamAsync("save", async () =>
        {
            var heeds = Next(2) == 0;
            for (var n = Next(6); n > 0; n--)
            {
                var count = Next(4) == 0 ? Next(3 << 20) : Next(2000);
                session.Saving!.Write(new byte[count]);
                await session.Saving!.FlushAsync(heeds ? cancellationToken : CancellationToken.None);
                if (Next(3) == 0)
                    await Task.Yield();
                if (Next(60) == 0)
                    ResetOneself();
            }

            return Next(20) == 0 ? Errno.ENOMEM : Errno.None;
        });

    public ValueTask<VfioResult> LoadAsync(MigrationSession session, CancellationToken cancellationToken)
        => InStreamAsync("load", async () =>
        {
            var heeds = Next(2) == 0;
            while (true)
            {
                var read = await session.Resuming!.ReadAsync(heeds ? cancellationToken : CancellationToken.None);
                var examines = Next(2) == 0;
                if (examines && !read.IsCompleted)
                    session.Resuming.AdvanceTo(read.Buffer.Start, read.Buffer.End);
                else
                    session.Resuming.AdvanceTo(read.Buffer.End);
                if (Next(60) == 0)
                    ResetOneself();
                if (read.IsCompleted)
                    return VfioResult.Success;
                if (Next(30) == 0)
                    return Next(2) == 0 ? Errno.EBADMSG : throw new InvalidOperationException("as a variant may");
            }
        });

    public void OnReset()
    {
        Check(Volatile.Read(ref _inStep) == 0, "told of a reset in a step");
        _state = Running;
        Interlocked.Increment(ref _resets);
    }

    public int Next(int below)
    {
        lock (_lock)
            return _random.Next(below);
    }

    public static HashSet<MigrationArc> Legal(MigrationCapabilities capabilities)
    {
        // 6.3 of the reference, "arcs to implement".
        var p2p = capabilities.HasFlag(MigrationCapabilities.P2P);
        (MigrationState, MigrationState)[] always = [(Stop, StopCopy), (StopCopy, Stop), (Stop, Resuming), (Resuming, Stop)];
        (MigrationState, MigrationState)[] stopping = p2p
            ? [(Running, RunningP2P), (RunningP2P, Running), (RunningP2P, Stop), (Stop, RunningP2P)]
            : [(Running, Stop), (Stop, Running)];
        (MigrationState, MigrationState)[] precopy = !capabilities.HasFlag(MigrationCapabilities.PreCopy) ? []
            : !p2p ? [(Running, PreCopy), (PreCopy, Running), (PreCopy, StopCopy)]
            : [
                (Running, PreCopy), (PreCopy, Running), (RunningP2P, PreCopyP2P), (PreCopyP2P, RunningP2P), (PreCopy, PreCopyP2P),
                (PreCopyP2P, PreCopy), (PreCopyP2P, StopCopy),
            ];
        return [.. always.Concat(stopping).Concat(precopy).Select(arc => new MigrationArc(arc.Item1, arc.Item2))];
    }

    private async ValueTask<VfioResult> InStreamAsync(string what, Func<Task<VfioResult>> work)
    {
        Check(Interlocked.Increment(ref _inStream) == 1, $"a {what} beside another save or load");
        try
        {
            return await work();
        }
        finally
        {
            Interlocked.Decrement(ref _inStream);
        }
    }

    private int Chance(int oneIn, int value) => Next(oneIn) == 0 ? value : 0;

    private void Check(bool holds, string what)
    {
        if (!holds)
            Violations.Enqueue(what);
    }
}
