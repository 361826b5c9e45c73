using Vfio.Core.Tests.Scripted;

namespace Vfio.Core.Tests.Features;

public sealed class FeatureTests
{
    private const uint Get = 1 << 16, Set = 1 << 17, Probe = 1 << 18;

    [Theory]
    [Trait("Trap", "51")]
    [InlineData(FeatureId.VfToken)]
    [InlineData(FeatureId.Migration)]
    [InlineData(FeatureId.MigrationDeviceState)]
    [InlineData(FeatureId.DmaLoggingStart)]
    [InlineData(FeatureId.DmaLoggingStop)]
    [InlineData(FeatureId.DmaLoggingReport)]
    [InlineData(FeatureId.MigrationDataSize)]
    [InlineData(FeatureId.BusMaster)]
    [InlineData(FeatureId.DmaBuf)]
    [InlineData(FeatureId.MigrationPrecopyInfoV2)]
    [InlineData(13)]
    public async Task An_absent_feature_is_ENOTTY_whatever_is_asked_of_it(int id)
    {
        await using var device = await OpenDevice.Open(new(new Hardware().Bytes));

        foreach (var operation in new[] { Probe | Get, Probe | Set, Probe | Get | Set, Get, Set, Probe })
            Assert.Equal(-(int)Errno.ENOTTY, Ask(device, id, operation));
    }

    [Fact]
    public async Task Low_power_is_entered_once_and_left_as_often_as_one_likes()
    {
        await using var device = await OpenDevice.Open(new(new Hardware().Bytes));

        foreach (var id in new[] { FeatureId.LowPowerEntry, FeatureId.LowPowerEntryWithWakeup, FeatureId.LowPowerExit })
        {
            Assert.Equal(0, Ask(device, id, Probe | Set));
            Assert.Equal(-(int)Errno.EINVAL, Ask(device, id, Probe | Get));
            Assert.Equal(-(int)Errno.EINVAL, Ask(device, id, Get));
        }

        Assert.Equal(0, Ask(device, FeatureId.LowPowerEntry, Set));
        Assert.Equal(-(int)Errno.EINVAL, Ask(device, FeatureId.LowPowerEntry, Set));
        Assert.Equal(0, Ask(device, FeatureId.LowPowerExit, Set));
        Assert.Equal(0, Ask(device, FeatureId.LowPowerExit, Set));
        Assert.Equal(-(int)Errno.EINVAL, Ask(device, FeatureId.LowPowerEntryWithWakeup, Set, [1, 0, 0, 0]));
        Assert.Equal(-(int)Errno.EINVAL, Ask(device, FeatureId.LowPowerEntryWithWakeup, Set, [255, 255, 255, 255, 0, 0, 0, 0]));
        Assert.Equal(-(int)Errno.EBADF, Ask(device, FeatureId.LowPowerEntryWithWakeup, Set, new byte[8]));
    }

    [Fact]
    public async Task A_PF_takes_a_token_and_shows_it_to_nobody()
    {
        var hardware = new Hardware();
        hardware.Express();
        hardware.Extended(0x10, 0x40);
        await using var device = await OpenDevice.Open(new(hardware.Bytes));

        Assert.Equal(0, Ask(device, FeatureId.VfToken, Probe | Set));
        Assert.Equal(-(int)Errno.EINVAL, Ask(device, FeatureId.VfToken, Get));
        Assert.Equal(-(int)Errno.EINVAL, Ask(device, FeatureId.VfToken, Set, new byte[15]));
        Assert.Equal(0, Ask(device, FeatureId.VfToken, Set, new byte[16]));
    }

    private static int Ask(OpenDevice device, int id, uint operation, byte[]? input = null)
    {
        var result = device.Feature(new(id, (FeatureOperation)operation), input ?? [], []);
        return result.IsSuccess ? result.Value : -(int)result.Error;
    }
}
