using System.Buffers;
using static Vfio.MigrationState;

namespace Vfio.Core.Tests.Migration;

/// <summary>What a variant gives up with a token of its own, and what it does then.</summary>
public sealed class GivenUpTests
{
    private static readonly CancellationToken Given = new(canceled: true);
    private readonly Migrating _it = new();

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_flush_that_is_given_up_keeps_no_later_one_from_its_turn()
    {
        _it.Variant.OnSave = async (session, _, token) =>
        {
            session.Saving!.Write<byte>([1, 2]);
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => session.Saving!.FlushAsync(Given).AsTask());
            await session.Saving!.WriteAsync(new byte[] { 3 }, token);
            return VfioResult.Success;
        };
        var stream = await _it.BeginAsync(StopCopy);
        await stream.YieldsAsync([1, 2, 3], Errno.None);
    }

    [Fact]
    public async Task What_a_flush_that_is_given_up_leaves_is_saved_with_the_end()
    {
        _it.Variant.OnSave = async (session, _, _) =>
        {
            session.Saving!.Write<byte>([1, 2]);
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => session.Saving!.FlushAsync(Given).AsTask());
            return VfioResult.Success;
        };
        var stream = await _it.BeginAsync(StopCopy);
        await stream.YieldsAsync([1, 2], Errno.None);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_flush_that_the_variant_cuts_short_loses_nothing_of_its_write(bool byToken)
    {
        var bytes = Streams.Pattern(5 << 20);
        _it.Variant.OnSave = async (session, _, token) =>
        {
            if (byToken)
            {
                await Assert.ThrowsAnyAsync<OperationCanceledException>(() => session.Saving!.WriteAsync(bytes, Given).AsTask());
            }
            else
            {
                session.Saving!.CancelPendingFlush();
                Assert.True((await session.Saving!.WriteAsync(bytes, token)).IsCanceled);
            }

            await session.Saving!.WriteAsync(new byte[] { 3 }, token);
            return VfioResult.Success;
        };
        var stream = await _it.BeginAsync(StopCopy);
        await stream.YieldsAsync([.. bytes, 3], Errno.None);
    }

    [Fact]
    public async Task A_read_that_a_load_gives_up_keeps_no_later_one_from_its_turn()
    {
        byte[]? loaded = null;
        var givenUp = new Signal();
        _it.Variant.OnLoad = async (session, token) =>
        {
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => session.Resuming!.ReadAsync(Given).AsTask());
            givenUp.Set();
            loaded = await Streams.TakeAllAsync(session, token);
            return VfioResult.Success;
        };
        var stream = await _it.BeginAsync(Resuming);
        await givenUp.WaitAsync(Cancellation);
        Assert.Equal(VfioResult.Success, await stream.WriteAsync(new byte[] { 1, 2 }, Cancellation));
        await _it.GoAsync(Stop);
        Assert.Equal([1, 2], loaded);
    }
}
