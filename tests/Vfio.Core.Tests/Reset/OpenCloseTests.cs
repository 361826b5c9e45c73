using Microsoft.Win32.SafeHandles;
using Vfio.Core.Tests.Interrupts;
using Vfio.Core.Tests.Scripted;
using Vfio.Native;

namespace Vfio.Core.Tests.Reset;

public sealed class OpenCloseTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    [Trait("Trap", "54")]
    public void A_virtualized_function_is_refused()
    {
        var function = new ScriptedFunction(new Hardware().Bytes) { Virtualization = FunctionVirtualization.ByKernel };

        var refused = Assert.Throws<VfioException>(() => new VfioPciCore(function));
        Assert.Equal(Errno.EOPNOTSUPP, refused.Error);
        Assert.Contains("raw functions only", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Open_and_close_reset_and_connect_in_the_kernels_order()
    {
        var function = new ScriptedFunction(new Hardware().Bytes);
        var device = OpenDevice.Closed(function);

        Assert.True((await device.OpenAsync(new() { Dma = new DmaSpace() }, Cancellation)).IsSuccess);
        Assert.Equal(["reset Flr", "DMA on"], function.Log);
        Assert.Equal(["prepare Open", "done Open"], device.Hooks);
        Assert.Equal(Errno.EBUSY, (await device.OpenAsync(new() { Dma = new DmaSpace() }, Cancellation)).Error);

        device.Hooks.Clear();
        function.Log.Clear();
        await device.CloseAsync(ResetCause.ClientLost);
        Assert.Equal(["reset Flr", "DMA off"], function.Log);
        Assert.Equal(["prepare ClientLost", "done ClientLost"], device.Hooks);
        await device.CloseAsync(ResetCause.Close);
        Assert.Equal(2, device.Hooks.Count);
        Assert.Equal(Errno.EINVAL, device.Read(RegionIndex.Config, 0, new byte[4]).Error);
        Assert.Equal(Errno.EINVAL, (await device.ResetAsync(ResetCause.DeviceReset, Cancellation)).Error);
    }

    [Fact]
    public async Task Closing_wakes_the_function_before_it_ends_its_DMA_and_resets_it_last()
    {
        var hardware = new Hardware();
        var power = hardware.PowerManagement();
        hardware.Msix(2, 0, 0x800);
        var function = new ScriptedFunction(hardware.Bytes);
        function.Lines.Msix = 2;
        function.Bars[0] = new ScriptedBar(4096);
        var device = await OpenDevice.Open(function);
        device.WriteConfig(4, 2, 6);
        Assert.Equal(0, device.Trigger(IrqIndex.Msix, 0, EventFd.Create()));
        device.WriteConfig(power + 4, 2, 3);
        var log = new List<string>();
        function.OnConfigWrite = (at, _, value) =>
        {
            if (at == power + 4)
                log.Add($"D{value & 3}, interrupts {function.Lines.Enabled}");
            else if (at == 4)
                log.Add($"COMMAND {value:x}, interrupts {function.Lines.Enabled}");
        };
        function.OnReset = (_, _) =>
        {
            log.Add($"reset, DMA {function.Dma is not null}");
            return new(VfioResult.Success);
        };

        await device.CloseAsync(ResetCause.Close);
        Assert.Equal(
            ["D0, interrupts Msix", "COMMAND 2, interrupts Msix", "COMMAND 3, interrupts ", "COMMAND 400, interrupts ", "reset, DMA True", "COMMAND 3, interrupts "],
            log);
        Assert.Null(function.Dma);
    }

    [Fact]
    public async Task Interrupt_disable_is_cleared_at_open_and_is_at_close_as_it_was_found()
    {
        var hardware = new Hardware();
        hardware.Set16(4, 0x0402);
        var function = new ScriptedFunction(hardware.Bytes);
        function.Bars[0] = new ScriptedBar(4096);
        var device = await OpenDevice.Open(function);

        Assert.Equal(0x0002u, function.Hardware32(4) & 0xFFFF);
        await device.CloseAsync(ResetCause.Close);
        Assert.Equal(0x0402u, function.Hardware32(4) & 0xFFFF);
    }

    [Fact]
    public async Task A_PF_stays_awake_while_it_has_VFs()
    {
        var hardware = new Hardware();
        hardware.Express();
        var power = hardware.PowerManagement();
        var iov = hardware.Extended(0x10, 0x40, (8, 2, 1));
        var function = new ScriptedFunction(hardware.Bytes);
        await using var device = await OpenDevice.Open(function);

        device.WriteConfig(power + 4, 2, 3);
        Assert.Equal(0u, device.ReadConfig(power + 4, 2) & 3);
        Assert.Empty(device.Hooks);
        function.WriteConfig(iov + 8, 2, 0);
        device.WriteConfig(power + 4, 2, 3);
        Assert.Equal(3u, device.ReadConfig(power + 4, 2) & 3);
    }

    [Fact]
    public async Task Closing_leaves_the_hardware_as_open_found_it_after_its_reset()
    {
        var hardware = new Hardware();
        var at = hardware.Express();
        hardware.Set32(0x10, 0xFE000000);
        var function = new ScriptedFunction(hardware.Bytes);
        function.Bars[0] = new ScriptedBar(4096);
        await using var device = await OpenDevice.Open(function);
        var pristine = function.ConfigBytes.ToArray();

        device.WriteConfig(4, 2, 0x0446);
        device.WriteConfig(0x0C, 1, 0x40);
        device.WriteConfig(at + 0x28, 2, 5);
        device.WriteConfig(at + 8, 2, 0x202F);
        await device.CloseAsync(ResetCause.Close);
        Assert.Equal(Convert.ToHexString(pristine), Convert.ToHexString(function.ConfigBytes));
    }

    [Fact]
    [Trait("Trap", "48")]
    public async Task A_reset_that_is_refused_for_now_fails_the_open()
    {
        var function = new ScriptedFunction(new Hardware().Bytes) { OnReset = (_, _) => new(Errno.EAGAIN) };
        var device = OpenDevice.Closed(function);

        Assert.Equal(Errno.EAGAIN, (await device.OpenAsync(new() { Dma = new DmaSpace() }, Cancellation)).Error);
        Assert.Null(function.Dma);
        function.OnReset = null;
        Assert.True((await device.OpenAsync(new() { Dma = new DmaSpace() }, Cancellation)).IsSuccess);
    }

    [Theory]
    [Trait("Trap", "48")]
    [InlineData(Errno.ENOTTY)]
    [InlineData(Errno.ETIMEDOUT)]
    [InlineData(Errno.EIO)]
    public async Task A_function_that_cannot_be_reset_opens_without_the_reset_flag_and_its_device_reset_fails(Errno error)
    {
        var function = new ScriptedFunction(new Hardware().Bytes) { OnReset = (_, _) => new(error) };
        await using var device = await OpenDevice.Open(function);

        Assert.Equal(DeviceFlags.Pci, device.Info.Flags);
        Assert.NotNull(function.Dma);
        function.OnReset = null;
        Assert.Equal(Errno.EINVAL, (await device.ResetAsync(ResetCause.DeviceReset, Cancellation)).Error);
        Assert.Empty(device.Hooks);
    }

    [Fact]
    [Trait("Trap", "33")]
    public async Task Close_without_a_reset_that_works_tells_no_hook_so_a_variant_ends_its_own_at_close()
    {
        var function = new ScriptedFunction(new Hardware().Bytes) { ResetMethods = [] };
        var device = await OpenDevice.Open(function);

        await device.CloseAsync(ResetCause.Close);
        Assert.Empty(device.Hooks);
        Assert.Null(function.Dma);
    }

    [Fact]
    public async Task A_function_that_does_not_answer_or_is_a_bridge_does_not_open()
    {
        var silent = new byte[4096];
        silent.AsSpan().Fill(0xFF);
        var bridge = new Hardware().Bytes;
        bridge[0x0E] = 1;

        Assert.Equal(Errno.ENODEV, (await OpenDevice.Closed(new(silent)).OpenAsync(new() { Dma = new DmaSpace() }, Cancellation)).Error);
        Assert.Equal(Errno.EINVAL, (await OpenDevice.Closed(new(bridge)).OpenAsync(new() { Dma = new DmaSpace() }, Cancellation)).Error);
    }
}
