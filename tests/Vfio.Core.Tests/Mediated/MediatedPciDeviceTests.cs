using Vfio.Native;

namespace Vfio.Core.Tests.Mediated;

/// <summary>What every mediated device has from its base.</summary>
public sealed class MediatedPciDeviceTests
{
    private const IrqSetFlags SetTrigger = IrqSetFlags.DataEventFd | IrqSetFlags.ActionTrigger;
    private readonly PlainDevice _device = new();

    [Theory]
    [InlineData(0, 0xFFFFFFF9u, 0x1u)]
    [InlineData(1, 0xFFFFC000u, 0x0u)]
    [InlineData(2, 0xFFFFFFF0u, 0x4u)]
    [InlineData(3, 0xFFFFFFFFu, 0x0u)]
    [InlineData(4, 0x0u, 0x0u)]
    public async Task A_bar_register_shows_the_next_power_of_two_of_its_region(int bar, uint sized, uint flags)
    {
        await OpenAsync();
        Assert.Equal(flags, ReadConfig(0x10 + (4 * bar), 4));
        WriteConfig(0x10 + (4 * bar), uint.MaxValue, 4);
        Assert.Equal(sized | flags, ReadConfig(0x10 + (4 * bar), 4));
    }

    [Fact]
    public async Task The_header_says_what_the_device_is_and_takes_only_what_a_guest_may_write()
    {
        await OpenAsync();
        for (var at = 0; at < 256; at += 4)
        {
            if (at is < 0x10 or >= 0x28)
                WriteConfig(at, uint.MaxValue, 4);
        }

        Assert.Equal(0x22221111u, ReadConfig(0, 4));
        Assert.Equal(0x0547u, ReadConfig(4, 4));
        Assert.Equal(0x01020307u, ReadConfig(8, 4));
        Assert.Equal(0x0000FFFFu, ReadConfig(0x0C, 4));
        Assert.Equal(0x44443333u, ReadConfig(0x2C, 4));
        Assert.Equal(0x000001FFu, ReadConfig(0x3C, 4));
        Assert.Equal(0u, ReadConfig(0x40, 4));
    }

    [Theory]
    [InlineData(256ul, 1)]
    [InlineData(255ul, 2)]
    [InlineData(ulong.MaxValue, 1)]
    public async Task Configuration_space_ends_at_256(ulong offset, int count)
    {
        await OpenAsync();
        Assert.Equal(Errno.EFAULT, _device.Read(RegionIndex.Config, offset, new byte[count]).Error);
        Assert.Equal(Errno.EFAULT, _device.Write(RegionIndex.Config, offset, new byte[count]).Error);
        Assert.Equal(0, _device.Read(RegionIndex.Config, offset, []));
    }

    [Fact]
    public async Task An_access_ends_with_its_bar()
    {
        await OpenAsync();
        Assert.Equal(2, _device.Read(1, 0x2FFE, new byte[4]));
        Assert.Equal(2, _device.Write(1, 0x2FFE, new byte[4]));
        Assert.Equal(Errno.EINVAL, _device.Read(1, 0x3000, new byte[1]).Error);
        Assert.Equal(Errno.EINVAL, _device.Read(4, 0, new byte[1]).Error);
        Assert.Equal(Errno.EINVAL, _device.Read(9, 0, new byte[1]).Error);
    }

    [Fact]
    public async Task Regions_that_are_absent_are_no_error_and_those_past_the_last_are()
    {
        await OpenAsync();
        foreach (var absent in new[] { 3, 4, 5, RegionIndex.Rom, RegionIndex.Vga })
            Assert.Equal(RegionInfo.Absent, _device.GetRegionInfo(absent).Value);
        Assert.Equal(Errno.EINVAL, _device.GetRegionInfo(9).Error);
        Assert.Equal(Errno.EINVAL, _device.GetRegionInfo(-1).Error);
        Assert.Equal(2, _device.Map(1).Value.Areas.Count);
        Assert.Equal(Errno.EINVAL, _device.Map(0).Error);
        Assert.Equal([1u, 0u, 0u, 1u, 1u], Enumerable.Range(0, 5).Select(i => _device.GetIrqInfo(i).Value.Count));
        Assert.Equal(Errno.EINVAL, _device.GetIrqInfo(5).Error);
    }

    [Fact]
    public async Task The_pin_masks_itself_and_fires_again_on_unmask_while_it_is_asserted()
    {
        await OpenAsync();
        using var trigger = EventFd.Create();
        Assert.Equal(0, Set(SetTrigger, IrqIndex.Intx, trigger));
        _device.Pin(true);
        _device.Pin(false);
        _device.Pin(true);
        Assert.Equal(1u, EventFd.Consume(trigger));
        Assert.Equal(0, Set(IrqSetFlags.DataNone | IrqSetFlags.ActionUnmask, IrqIndex.Intx));
        Assert.Equal(1u, EventFd.Consume(trigger));
        _device.Pin(false);
        Assert.Equal(0, Set(IrqSetFlags.DataNone | IrqSetFlags.ActionUnmask, IrqIndex.Intx));
        Assert.Equal(0u, EventFd.Consume(trigger));
    }

    [Fact]
    public async Task A_pin_that_is_asserted_when_intx_is_set_up_fires()
    {
        await OpenAsync();
        _device.Pin(true);
        using var trigger = EventFd.Create();
        Assert.Equal(0, Set(SetTrigger, IrqIndex.Intx, trigger));
        Assert.Equal(1u, EventFd.Consume(trigger));
    }

    [Fact]
    public async Task Interrupt_Disable_masks_the_pin_and_the_status_still_shows_it()
    {
        await OpenAsync();
        using var trigger = EventFd.Create();
        Assert.Equal(0, Set(SetTrigger, IrqIndex.Intx, trigger));
        WriteConfig(5, 4, 1);
        _device.Pin(true);
        Assert.Equal(0u, EventFd.Consume(trigger));
        Assert.Equal(8u, ReadConfig(6, 2));
        WriteConfig(4, 0, 2);
        Assert.Equal(1u, EventFd.Consume(trigger));
    }

    [Fact]
    public async Task Messages_are_not_there_and_the_error_and_request_indexes_are()
    {
        await OpenAsync();
        using var error = EventFd.Create();
        using var request = EventFd.Create();
        Assert.Equal(Errno.EINVAL, Set(SetTrigger, IrqIndex.Msi, error).Error);
        Assert.Equal(0, Set(SetTrigger, IrqIndex.Error, error));
        Assert.Equal(0, Set(SetTrigger, IrqIndex.Request, request));
        _device.Fail();
        _device.RequestRelease(0);
        Assert.Equal(1u, EventFd.Consume(error));
        Assert.Equal(1u, EventFd.Consume(request));
    }

    [Fact]
    public async Task A_reset_takes_the_pin_back_and_keeps_configuration_and_interrupts()
    {
        await OpenAsync();
        using var trigger = EventFd.Create();
        Assert.Equal(0, Set(SetTrigger, IrqIndex.Intx, trigger));
        WriteConfig(0x3C, 11, 1);
        _device.Pin(true);
        Assert.Equal(1u, EventFd.Consume(trigger));
        Assert.True((await _device.ResetAsync(ResetCause.DeviceReset, CancellationToken.None)).IsSuccess);
        Assert.Equal(0, Set(IrqSetFlags.DataNone | IrqSetFlags.ActionUnmask, IrqIndex.Intx));
        Assert.Equal(0u, EventFd.Consume(trigger));
        Assert.Equal(11u, ReadConfig(0x3C, 1));
        _device.Pin(true);
        Assert.Equal(1u, EventFd.Consume(trigger));
    }

    [Fact]
    public async Task Opening_and_closing_reset_and_closing_ends_interrupts()
    {
        var memory = await OpenAsync();
        Assert.Equal(Errno.EBUSY, (await _device.OpenAsync(new() { Dma = memory }, CancellationToken.None)).Error);
        using var trigger = EventFd.Create();
        Assert.Equal(0, Set(SetTrigger, IrqIndex.Intx, trigger));
        WriteConfig(4, 7, 2);
        await _device.CloseAsync(ResetCause.ClientLost);
        await _device.CloseAsync(ResetCause.Close);
        _device.Pin(true);
        Assert.Equal(0u, EventFd.Consume(trigger));
        Assert.Equal(Errno.EINVAL, (await _device.ResetAsync(ResetCause.DeviceReset, CancellationToken.None)).Error);
        using var late = EventFd.Create();
        Assert.Equal(Errno.EINVAL, Set(SetTrigger, IrqIndex.Intx, late).Error);
        Assert.Equal([ResetCause.Open, ResetCause.ClientLost], _device.Resets);
        await OpenAsync();
        Assert.Equal(0u, ReadConfig(4, 2));
    }

    [Fact]
    public void Bars_do_not_overlap()
    {
        Assert.Throws<ArgumentException>(() => _device.Add(0));
        Assert.Throws<ArgumentException>(() => _device.Add(3));
        Assert.Throws<ArgumentException>(() => _device.Add(6));
        Assert.Throws<ArgumentException>(() => _device.Add(5, BarKind.Memory64));
        _device.Add(4, BarKind.Memory64);
        Assert.Throws<ArgumentException>(() => _device.Add(5));
    }

    private async Task<IDmaSpace> OpenAsync()
    {
        var memory = new DmaSpace();
        Assert.True((await _device.OpenAsync(new() { Dma = memory }, CancellationToken.None)).IsSuccess);
        Assert.Same(memory, _device.Memory);
        return memory;
    }

    // The device owns what it is given.
    private VfioResult<int> Set(IrqSetFlags flags, IrqIndex index, Microsoft.Win32.SafeHandles.SafeFileHandle? eventFd = null)
        => _device.SetIrqs(new IrqSet
        {
            Flags = flags,
            Index = (uint)index,
            Count = 1,
            EventFds = eventFd is null ? default : new[] { EventFd.Duplicate(eventFd) },
        });

    private uint ReadConfig(int at, int width)
    {
        var bytes = new byte[4];
        Assert.Equal(width, _device.Read(RegionIndex.Config, (ulong)at, bytes.AsSpan(0, width)));
        return BitConverter.ToUInt32(bytes);
    }

    private void WriteConfig(int at, uint value, int width)
        => Assert.Equal(width, _device.Write(RegionIndex.Config, (ulong)at, BitConverter.GetBytes(value).AsSpan(0, width)));

    private sealed class PlainDevice : MediatedPciDevice
    {
        public PlainDevice()
            : base(new PciId(0x1111, 0x2222, 0x3333, 0x4444, 0x010203, 7))
        {
            AddBar(0, new Registers(), BarKind.Io);
            AddBar(1, new SharedMemoryRegion(0x3000, [new(0, 0x1000), new(0x2000, 0x1000)]));
            AddBar(2, new Registers(), BarKind.Memory64);
        }

        public IDmaSpace? Memory => Dma;

        public List<ResetCause> Resets { get; } = [];

        public void Pin(bool asserted) => DriveIntx(asserted);

        public void Fail() => ReportError();

        public void Add(int index, BarKind kind = BarKind.Memory32) => AddBar(index, new Registers(), kind);

        protected override ValueTask ResetDeviceAsync(ResetCause cause, CancellationToken cancellationToken)
        {
            Resets.Add(cause);
            return ValueTask.CompletedTask;
        }
    }

    private sealed class Registers : DeviceRegion
    {
        public override ulong Size => 8;

        public override RegionFlags Flags => RegionFlags.Read | RegionFlags.Write;

        public override VfioResult<int> Read(ulong offset, Span<byte> destination) => destination.Length;

        public override VfioResult<int> Write(ulong offset, ReadOnlySpan<byte> source) => source.Length;
    }
}
