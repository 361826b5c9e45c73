using static Vfio.MigrationState;

namespace Vfio.Core.Tests.Migration;

public sealed class PrecopyTests
{
    private readonly Migrating _it = new();
    private PrecopyInfo _unwritten;

    public PrecopyTests()
    {
        _it.Variant.OnPrecopyInfo = () => _unwritten;
        _it.Variant.OnSave = Streams.Saving(new byte[1000]);
    }

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Initial_bytes_count_down_as_they_are_read()
    {
        _unwritten = new(500, 0);
        var stream = await _it.BeginAsync(PreCopy);
        await _it.Variant.Saved.Soon();
        Assert.Equal(new(1500, 0), await InfoAsync(stream));
        await stream.ReadAsync(new byte[400], Cancellation);
        Assert.Equal(new(1100, 0), await InfoAsync(stream));
        _unwritten = new(0, 70);
        Assert.Equal(new(600, 70), await InfoAsync(stream));
        await stream.ReadToEndAsync();
        Assert.Equal(new(0, 70), await InfoAsync(stream));
    }

    [Fact]
    public async Task Numbers_that_no_device_has_do_not_wrap()
    {
        _unwritten = new(ulong.MaxValue, ulong.MaxValue - 5);
        var stream = await _it.BeginAsync(PreCopy);
        await _it.Variant.Saved.Soon();
        Assert.Equal(new(ulong.MaxValue, 0), await InfoAsync(stream));
    }

    [Fact]
    public async Task Initial_bytes_that_later_saves_write_stay_initial()
    {
        _unwritten = new(500, 0);
        var stream = await _it.BeginAsync(PreCopy);
        await stream.ReadToEndAsync();
        Assert.Equal(new(500, 0), await InfoAsync(stream));
        await stream.ReadAsync(new byte[700], Cancellation);
        _unwritten = default;
        Assert.Equal(new(300, 0), await InfoAsync(stream));
    }

    [Fact]
    public async Task What_later_saves_write_counts_as_dirty()
    {
        var stream = await _it.BeginAsync(PreCopy);
        await stream.ReadToEndAsync();
        _unwritten = new(0, 1000);
        var count = await stream.ReadAsync(new byte[100], Cancellation);
        Assert.Equal(100, count.Value);
        _unwritten = default;
        Assert.Equal(new(0, 900), await InfoAsync(stream));
    }

    [Fact]
    [Trait("Trap", "43")]
    public async Task New_initial_bytes_are_told_only_to_those_who_asked()
    {
        var stream = await _it.BeginAsync(PreCopy);
        await stream.ReadToEndAsync();
        _unwritten = new(300, 0, HasNewInitial: true);

        // The first version: initial bytes have reached 0 and stay there.
        Assert.Equal(new(0, 300), await InfoAsync(stream));

        Assert.Equal(VfioResult.Success, await _it.Service.EnablePrecopyInfoV2Async(Cancellation));
        Assert.Equal(new(300, 0, HasNewInitial: true), await InfoAsync(stream));

        // What is begun with new initial bytes is initial until it is read.
        await stream.ReadAsync(new byte[1], Cancellation);
        _unwritten = default;
        Assert.Equal(new(300, 699), await InfoAsync(stream));
    }

    [Fact]
    [Trait("Trap", "43")]
    public async Task The_second_version_lasts_until_the_device_is_closed()
    {
        await _it.Service.EnablePrecopyInfoV2Async(Cancellation);
        _unwritten = new(300, 0, HasNewInitial: true);
        _it.Device.Reset();
        Assert.True((await InfoAsync(await _it.BeginAsync(PreCopy))).HasNewInitial);
        _it.Device.Reset(ResetCause.ClientLost);
        Assert.False((await InfoAsync(await _it.BeginAsync(PreCopy))).HasNewInitial);
        await _it.Service.EnablePrecopyInfoV2Async(Cancellation);
        _it.Device.Reset(ResetCause.Close);
        Assert.False((await InfoAsync(await _it.BeginAsync(PreCopy))).HasNewInitial);
    }

    [Fact]
    public async Task Nobody_asks_outside_of_PRE_COPY()
    {
        var asked = 0;
        _it.Variant.OnPrecopyInfo = () => new((ulong)++asked, 0);
        var stream = await _it.BeginAsync(StopCopy);
        Assert.Equal(Errno.EINVAL, (await stream.GetPrecopyInfoAsync(Cancellation)).Error);
        await _it.GoAsync(Running);
        Assert.Equal(Errno.EINVAL, (await stream.GetPrecopyInfoAsync(Cancellation)).Error);
        Assert.Equal(0, asked);

        // A stream that is over, while another one is in PRE_COPY.
        await _it.BeginAsync(PreCopy);
        Assert.Equal(Errno.ENODEV, (await stream.GetPrecopyInfoAsync(Cancellation)).Error);
    }

    [Fact]
    [Trait("Trap", "39")]
    public async Task Who_reads_all_the_time_never_finds_PRE_COPYs_end_in_STOP_COPY()
    {
        _it.Variant.OnSave = Streams.Saving([9]);
        for (var i = 0; i < 300; i++)
        {
            _it.Variant.OnPrecopyInfo = () => new(0, (ulong)(i % 2));
            var stream = await _it.BeginAsync(PreCopy);
            var reading = Task.Run(
                async () =>
                {
                    var buffer = new byte[8];
                    while (true)
                    {
                        var before = _it.Service.State;
                        var read = await stream.ReadAsync(buffer, Cancellation);
                        if (before == StopCopy)
                            Assert.Equal(Errno.None, read.Error);
                        if (read is { IsSuccess: true, Value: 0 })
                            return;
                    }
                },
                Cancellation);
            for (var n = i % 16; n > 0; n--)
                await Task.Yield();
            Assert.Null(await _it.GoAsync(StopCopy));
            await reading.Soon();
            await _it.GoAsync(Running);
        }
    }

    [Fact]
    public async Task A_device_without_PRE_COPY_has_no_second_version()
    {
        var it = new Migrating(MigrationCapabilities.StopCopy | MigrationCapabilities.P2P);
        Assert.Equal(Errno.EINVAL, (await it.Service.EnablePrecopyInfoV2Async(Cancellation)).Error);
    }

    private static async Task<PrecopyInfo> InfoAsync(MigrationDataStream stream)
    {
        var info = await stream.GetPrecopyInfoAsync(Cancellation).Soon();
        Assert.Equal(Errno.None, info.Error);
        return info.Value;
    }
}
