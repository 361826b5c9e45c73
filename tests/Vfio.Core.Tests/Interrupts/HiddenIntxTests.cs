using Microsoft.Win32.SafeHandles;
using Vfio.Core.Tests.Scripted;
using Vfio.Native;

namespace Vfio.Core.Tests.Interrupts;

/// <summary>A function whose pin does not work (<c>nointx</c>).</summary>
public sealed class HiddenIntxTests
{
    private const int Disabled = 0x400;
    private readonly ScriptedFunction _function;

    public HiddenIntxTests()
    {
        var hardware = new Hardware();
        hardware.Msix(2, 0, 0x800);
        hardware.Set32(0x10, 0xFE000000);
        _function = new(hardware.Bytes);
        _function.Lines.Msix = 2;
        _function.Bars[0] = new ScriptedBar(4096);
    }

    [Fact]
    [Trait("Trap", "12")]
    public async Task There_is_no_pin_and_no_interrupt_to_be_seen()
    {
        await using var device = await Open();

        Assert.Equal(0u, device.ReadConfig(0x3D, 1));
        Assert.Equal(0u, device.GetIrqInfo((int)IrqIndex.Intx).Value.Count);
        Assert.Equal(-(int)Errno.EINVAL, device.Trigger(IrqIndex.Intx, 0, (SafeFileHandle?)null));
        Assert.Equal(2u, device.GetIrqInfo((int)IrqIndex.Msix).Value.Count);
    }

    [Fact]
    [Trait("Trap", "12")]
    public async Task Interrupt_disable_is_held_whatever_the_guest_writes_and_given_back_at_close()
    {
        var device = await Open();
        Assert.NotEqual(0u, _function.Hardware32(4) & Disabled);
        // The guest's own bit starts as the hardware's is.
        Assert.NotEqual(0u, device.ReadConfig(4, 2) & Disabled);

        device.WriteConfig(4, 2, 0x406);
        Assert.Equal(0x406u, device.ReadConfig(4, 2));
        device.WriteConfig(4, 2, 0x006);
        Assert.Equal(0x006u, device.ReadConfig(4, 2));
        Assert.NotEqual(0u, _function.Hardware32(4) & Disabled);

        Assert.True((await device.ResetAsync(ResetCause.DeviceReset, TestContext.Current.CancellationToken)).IsSuccess);
        Assert.NotEqual(0u, _function.Hardware32(4) & Disabled);
        await device.CloseAsync(ResetCause.Close);
        Assert.Equal(0u, _function.Hardware32(4) & Disabled);
    }

    [Fact]
    [Trait("Trap", "12")]
    public async Task It_is_set_again_when_messages_are_turned_off_and_when_the_function_was_reset_behind_our_back()
    {
        await using var device = await Open();
        device.WriteConfig(4, 2, 0x006);
        Assert.Equal(0, device.Trigger(IrqIndex.Msix, 0, EventFd.Create()));
        _function.WriteConfig(4, 2, 0x006);
        Assert.Equal(0, device.Disable(IrqIndex.Msix));
        Assert.NotEqual(0u, _function.Hardware32(4) & Disabled);

        _function.ResetRegisters();
        _function.WriteConfig(4, 2, 0);
        device.WriteConfig(4, 2, 0x006);
        Assert.Equal(0x406u, _function.Hardware32(4) & 0xFFFF);
    }

    private Task<OpenDevice> Open() => OpenDevice.Open(_function, null, new() { HideIntx = true });
}
