using static Vfio.MigrationState;

namespace Vfio.Core.Tests.Migration;

public sealed class SavingTests
{
    private readonly Migrating _it = new();

    [Fact]
    [Trait("Trap", "39")]
    public async Task The_stream_of_PRE_COPY_goes_on_in_STOP_COPY()
    {
        _it.Variant.OnSave = (session, phase, token) => Streams.Saving(phase == PreCopy ? [1, 2] : [3, 4, 5])(session, phase, token);
        var stream = await _it.BeginAsync(PreCopy);
        Assert.True(stream.IsSaving);
        await stream.YieldsAsync([1, 2], Errno.ENOMSG);
        await stream.YieldsAsync([], Errno.ENOMSG);

        Assert.Null(await _it.GoAsync(PreCopyP2P));
        await stream.YieldsAsync([], Errno.ENOMSG);
        Assert.Null(await _it.GoAsync(StopCopy));
        await stream.YieldsAsync([3, 4, 5], Errno.None);
        await stream.YieldsAsync([], Errno.None);

        await _it.GoAsync(Stop);
        await stream.YieldsAsync([], Errno.ENODEV);
        Assert.Equal([PreCopy, StopCopy], _it.Variant.Saves);
    }
}
