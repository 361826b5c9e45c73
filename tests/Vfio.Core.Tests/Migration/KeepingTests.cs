using System.Runtime.CompilerServices;
using static Vfio.MigrationState;

namespace Vfio.Core.Tests.Migration;

public sealed class KeepingTests
{
    private readonly Migrating _it = new();

    [Fact]
    public async Task Three_hundred_migrations_under_one_token_keep_no_session()
    {
        // The heap itself is no measure: the shared pool keeps segments, and other tests run beside this one.
        using var caller = new CancellationTokenSource();
        _it.Variant.OnSave = Streams.Saving([1, 2, 3]);
        List<WeakReference<MigrationSession>> all = [];
        _it.Variant.OnStep = (arc, session, _) =>
        {
            if (session is not null && arc.To is PreCopy or Resuming)
                all.Add(new(session));
            return default;
        };
        await RepeatAsync(300, caller.Token);
        Assert.Equal(600, all.Count);
        await AssertCollectedAsync(all);
        Assert.Equal(0, _it.Pool.Outstanding);
    }

    [Theory]
    [InlineData(PreCopy)]
    [InlineData(Resuming)]
    public async Task Sessions_that_are_over_are_kept_by_nobody(MigrationState state)
    {
        var sessions = await BeginAndEndAsync(state);
        await AssertCollectedAsync(sessions);
    }

    private static async Task AssertCollectedAsync(List<WeakReference<MigrationSession>> sessions)
    {
        for (var i = 0; i < 20 && sessions.Count(s => s.TryGetTarget(out _)) > 2; i++)
        {
            GC.Collect();
            await Task.Yield();
        }

        // A stack or a register may have the last of them.
        Assert.InRange(sessions.Count(s => s.TryGetTarget(out _)), 0, 2);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private async Task<List<WeakReference<MigrationSession>>> BeginAndEndAsync(MigrationState state)
    {
        List<WeakReference<MigrationSession>> all = [];
        _it.Variant.OnStep = (arc, session, _) =>
        {
            if (session is not null && arc.To == state)
                all.Add(new(session));
            return default;
        };
        for (var i = 0; i < 20; i++)
        {
            await _it.BeginAsync(state);
            await _it.GoAsync(Running);
        }

        Assert.Equal(20, all.Count);
        return all;
    }

    // With a caller's token that lives on: what is registered there must go.
    private async Task RepeatAsync(int count, CancellationToken cancellationToken)
    {
        var buffer = new byte[16];
        for (var i = 0; i < count; i++)
        {
            var saving = (await _it.Service.SetStateAsync(PreCopy, cancellationToken)).Value!;
            Assert.Equal(3, (await saving.ReadAsync(buffer, cancellationToken)).Value);
            Assert.Equal(Errno.ENOMSG, (await saving.ReadAsync(buffer, cancellationToken)).Error);
            Assert.Equal(Errno.ENOMSG, (await saving.ReadAsync(buffer, cancellationToken)).Error);
            Assert.True((await saving.GetPrecopyInfoAsync(cancellationToken)).IsSuccess);
            await _it.Service.SetStateAsync(StopCopy, cancellationToken);
            Assert.Equal(3, (await saving.ReadAsync(buffer, cancellationToken)).Value);
            if (i % 2 == 0)
                _it.Device.Reset();
            var resuming = (await _it.Service.SetStateAsync(Resuming, cancellationToken)).Value!;
            Assert.Equal(VfioResult.Success, await resuming.WriteAsync(buffer, cancellationToken));
            Assert.True((await _it.Service.SetStateAsync(Running, cancellationToken)).IsSuccess);
        }
    }
}
