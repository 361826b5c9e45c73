using Gpio;
using Vfio.Native;
using Vfio.Samples.Tests.Peers;
using Vfio.User.Tests.Peers;

namespace Vfio.Samples.Tests.Gpio;

/// <summary>What libvfio-user's gpio-pci-idio-16 answers, and what Linux's driver of it relies on.</summary>
public sealed class DeviceTests
{
    private const int Bar = 2;

    [Fact]
    public async Task A_client_sees_what_it_sees_of_libvfio_users_sample()
    {
        await using var served = await ServedSample.StartAsync(new GpioDevice(new(Migrates: true)));
        using var client = served.Connect();
        client.Negotiate();
        client.Expect(Fields.Of(16u, 3u, 9u, 5u), 1, 4, Fields.Of(16u, 0u, 0u, 0u));
        client.Expect(Fields.Of(32u, 3u, 2u, 0u, 0x100ul, 0ul), 2, 5, Fields.Of(32u, 0u, 2u, 0u, 0ul, 0ul));
        client.Expect(Fields.Of(32u, 3u, 7u, 0u, 256ul, 0ul), 3, 5, Fields.Of(32u, 0u, 7u, 0u, 0ul, 0ul));
        for (var index = 0u; index < 5; index++)
            Assert.Equal(index is 1 or 2 ? 0u : 1u, BitConverter.ToUInt32(client.Ask(4, 7, Fields.Of(16u, 0u, index, 0u)).Payload, 12));
        var header = client.Read(7, 0, 64);
        Assert.Equal(Fields.Of(0x0DC8494Fu, (ushort)0, (ushort)0, 0u), header[..12]);
        Assert.Equal(1, header[0x3D]);
        Assert.Equal(0xFF, client.Read(Bar, 1, 1)[0]);
        client.Write(Bar, 0, 0x01);
        Assert.Equal(0xFE, client.Read(Bar, 1, 1)[0]);
        client.Write(Bar, 0, 0x01);
        client.Write(Bar, 0, 0x01);
        Assert.Equal(0xFF, client.Read(Bar, 1, 1)[0]);
        client.Expect(Fields.Of(16u, (1u << 16) | 1, 5ul), 9, 16, Fields.Of(16u, (1u << 16) | 1, 0ul));
    }

    [Fact]
    public async Task Each_output_counts_for_itself()
    {
        await using var sample = await OpenSample.StartAsync(new GpioDevice(new(Migrates: true)));
        sample.Write(Bar, 0, 0x81);
        sample.Write(Bar, 4, 0x10);
        sample.Write(Bar, 4, 0x30);
        Assert.Equal(0x7E, sample.Read(Bar, 1, 1)[0]);
        Assert.Equal(0xCF, sample.Read(Bar, 5, 1)[0]);
        sample.Write(Bar, 4, 0x10);
        Assert.Equal(0xDF, sample.Read(Bar, 5, 1)[0]);
    }

    [Fact]
    public async Task A_changed_input_interrupts_once_it_is_enabled_and_until_it_is_cleared()
    {
        await using var sample = await OpenSample.StartAsync(new GpioDevice(new(Migrates: true)));
        using var interrupt = EventFd.Create();
        sample.SetIntx(IrqSetFlags.DataEventFd | IrqSetFlags.ActionTrigger, EventFd.Duplicate(interrupt));
        sample.Write(Bar, 0, 1);
        Interrupts.AssertSilent(interrupt);
        sample.Read(Bar, 2, 1);
        // From 1 to 2: the input stays 0.
        sample.Write(Bar, 0, 1);
        Interrupts.AssertSilent(interrupt);
        sample.Write(Bar, 0, 1);
        Interrupts.AssertComes(interrupt);
        Assert.Equal(4, sample.Read(Bar, 6, 1)[0]);
        Assert.Equal(8, sample.Read(RegionIndex.Config, 6, 1)[0]);
        sample.Write(Bar, 1, 0);
        Assert.Equal(0, sample.Read(Bar, 6, 1)[0]);
        Assert.Equal(0, sample.Read(RegionIndex.Config, 6, 1)[0]);
        sample.SetIntx(IrqSetFlags.DataNone | IrqSetFlags.ActionUnmask);
        Interrupts.AssertSilent(interrupt);
        sample.Write(Bar, 2, 0);
        sample.Write(Bar, 0, 1);
        Interrupts.AssertSilent(interrupt);
    }

    [Fact]
    public async Task The_state_is_sixteen_counts_of_four_bytes()
    {
        await using var sample = await OpenSample.StartAsync(new GpioDevice(new(Migrates: true)));
        sample.Write(Bar, 0, 0x02);
        sample.Write(Bar, 0, 0x02);
        sample.Write(Bar, 4, 0x80);
        var state = await Migrations.SaveAsync(sample.Device);
        var counts = new uint[16];
        (counts[1], counts[15]) = (2, 1);
        Assert.Equal(counts.SelectMany(BitConverter.GetBytes), state);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_destination_goes_on_where_the_source_stopped(bool enabled)
    {
        await using var source = await OpenSample.StartAsync(new GpioDevice(new(Migrates: true)));
        await using var destination = await OpenSample.StartAsync(new GpioDevice(new(Migrates: true)));
        using var interrupt = EventFd.Create();
        destination.SetIntx(IrqSetFlags.DataEventFd | IrqSetFlags.ActionTrigger, EventFd.Duplicate(interrupt));
        if (enabled)
            source.Read(Bar, 2, 1);
        source.Write(Bar, 0, 0x0F);
        Assert.True((await Migrations.LoadAsync(destination.Device, await Migrations.SaveAsync(source.Device))).IsSuccess);
        Assert.Equal(0xF0, destination.Read(Bar, 1, 1)[0]);
        Assert.Equal(enabled ? 4 : 0, destination.Read(Bar, 6, 1)[0]);
        if (enabled)
            Interrupts.AssertComes(interrupt);
        else
            Interrupts.AssertSilent(interrupt);
    }

    [Theory]
    [InlineData(0, false)]
    [InlineData(63, false)]
    [InlineData(64, true)]
    [InlineData(66, false)]
    [InlineData(68, true)]
    [InlineData(128, true)]
    [InlineData(133, false)]
    public async Task A_stream_is_counts_as_often_as_they_were_saved_and_perhaps_flags(int length, bool loads)
    {
        await using var sample = await OpenSample.StartAsync(new GpioDevice(new(Migrates: true)));
        var stream = new byte[length];
        if (length >= 64)
            stream[((length / 64) - 1) * 64] = 1;
        var loaded = await Migrations.LoadAsync(sample.Device, stream);
        Assert.Equal(loads ? Errno.None : Errno.EINVAL, loaded.Error);
        Assert.Equal(loads ? 0xFE : 0xFF, sample.Read(Bar, 1, 1)[0]);
    }

    [Fact]
    public async Task Without_migration_its_features_are_absent()
    {
        await using var served = await ServedSample.StartAsync(new GpioDevice(new(Migrates: false)));
        using var client = served.Connect();
        client.Negotiate();
        client.Refuse(Errno.ENOTTY, 1, 16, Fields.Of(16u, (1u << 16) | 1, 0ul));
    }
}
