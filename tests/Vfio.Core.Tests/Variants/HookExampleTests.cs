using Vfio.Core.Tests.Scripted;

namespace Vfio.Core.Tests.Variants;

/// <summary>A variant sees no difference between a raw function and one that is virtualized below.</summary>
public sealed class HookExampleTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_slice_hides_the_rest_of_a_BAR_over_every_way_in(bool relayed)
    {
        var function = new ScriptedFunction(new Hardware().Bytes);
        function.Bars[2] = new ScriptedBar(8192);
        var device = await Open(new HalfABar(Core(function, relayed)));

        Assert.Equal(4096ul, device.GetRegionInfo(2).Value.Size);
        Assert.Equal(2, device.Read(2, 4094, new byte[8]).Value);
        Assert.Equal(Errno.EINVAL, device.Write(2, 4096, new byte[8]).Error);
        await device.CloseAsync(ResetCause.Close);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_patched_register_shows_in_reads_of_any_shape(bool relayed)
    {
        var device = await Open(new OtherRevision(Core(new ScriptedFunction(new Hardware().Bytes), relayed)));
        var read = new byte[8];

        device.Read(RegionIndex.Config, 5, read);
        Assert.Equal(0x42, read[3]);
        await device.CloseAsync(ResetCause.Close);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_fake_I_O_BAR_is_sized_and_answers(bool relayed)
    {
        var device = await Open(new FakeIoBar(Core(new ScriptedFunction(new Hardware().Bytes), relayed)));
        var read = new byte[4];

        device.Write(RegionIndex.Config, 0x10, [255, 255, 255, 255]);
        device.Read(RegionIndex.Config, 0x10, read);
        Assert.Equal([0xE1, 0xFF, 0xFF, 0xFF], read);
        device.Write(0, 30, [1, 2, 3, 4]);
        Assert.Equal(2, device.Read(0, 30, read).Value);
        Assert.Equal([1, 2], read[..2]);
        await device.CloseAsync(ResetCause.Close);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_region_of_a_variant_is_there_from_open_on(bool relayed)
    {
        var device = await Open(new WithItsOwnRegion(Core(new ScriptedFunction(new Hardware().Bytes), relayed)));

        Assert.Equal(9, device.RegionIndexOfScratch);
        Assert.Equal(64ul, device.GetRegionInfo(9).Value.Size);
        await device.CloseAsync(ResetCause.Close);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    [Trait("Trap", "32")]
    public async Task A_guests_FLR_does_not_wait_for_a_transfer_and_is_not_lost(bool relayed)
    {
        var hardware = new Hardware();
        var at = (ulong)hardware.Express();
        var device = await Open(new Resettable(Core(new ScriptedFunction(hardware.Bytes), relayed)));
        var inTransfer = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var letGo = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var transfer = device.TransferAsync(async () =>
        {
            inTransfer.SetResult();
            await letGo.Task;
        }, Cancellation).AsTask();
        await inTransfer.Task;

        Assert.Equal(2, device.Write(RegionIndex.Config, at + 8, [0x00, 0x80]).Value);
        Assert.True(device.HasStream);
        letGo.SetResult();
        await transfer;
        Assert.False(device.HasStream);
        await device.CloseAsync(ResetCause.Close);
    }

    private static IVfioPciCore Core(ScriptedFunction function, bool relayed)
        => VfioPciCores.Over(relayed ? RelayedFunction.Over(function) : function);

    private static async Task<T> Open<T>(T device)
        where T : VfioDevice
    {
        Assert.True((await device.OpenAsync(new() { Dma = new DmaSpace() }, Cancellation)).IsSuccess);
        return device;
    }
}
