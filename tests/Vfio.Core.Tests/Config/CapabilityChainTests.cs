using Vfio.Core.Tests.Scripted;

namespace Vfio.Core.Tests.Config;

public sealed class CapabilityChainTests
{
    [Fact]
    [Trait("Trap", "2")]
    public async Task A_hidden_standard_capability_is_unlinked_and_its_bytes_stay_raw()
    {
        var hardware = new Hardware(256);
        var first = hardware.PowerManagement();
        var hidden = hardware.Standard(0x0D, 8, (4, 4, 0xCAFEF00D));
        var last = hardware.Standard(0x09, 8, (2, 1, 8));
        var function = new ScriptedFunction(hardware.Bytes);
        await using var device = await OpenDevice.Open(function);

        Assert.Equal((uint)first, device.ReadConfig(0x34, 1));
        Assert.Equal((uint)last, device.ReadConfig(first + 1, 1));
        Assert.Equal(0xCAFEF00D, device.ReadConfig(hidden + 4));
        device.WriteConfig(hidden + 4, 4, 0x01020304);
        Assert.Equal(0x01020304u, function.Hardware32(hidden + 4));
    }

    [Fact]
    public async Task The_capability_list_bit_is_cleared_where_nothing_of_the_list_is_visible()
    {
        var hardware = new Hardware(256);
        hardware.Standard(0x04, 8);
        await using var device = await OpenDevice.Open(new(hardware.Bytes));

        Assert.Equal(0u, device.ReadConfig(6, 2) & 0x10);
        Assert.Equal(0u, device.ReadConfig(0x34, 1));
    }

    [Fact]
    [Trait("Trap", "2")]
    public async Task A_hidden_extended_capability_behind_another_is_unlinked()
    {
        var hardware = new Hardware();
        hardware.Express();
        var aer = hardware.Extended(0x01, 0x2C);
        hardware.Extended(0x1E, 16);
        var ari = hardware.Extended(0x0E, 8);
        await using var device = await OpenDevice.Open(new(hardware.Bytes));

        Assert.Equal((uint)ari, device.ReadConfig(aer) >> 20);
    }

    [Fact]
    [Trait("Trap", "2")]
    public async Task The_first_extended_capability_cannot_be_unlinked_and_keeps_only_its_link()
    {
        var hardware = new Hardware();
        hardware.Express();
        hardware.Extended(0x1D, 16);
        var ari = hardware.Extended(0x0E, 8);
        await using var device = await OpenDevice.Open(new(hardware.Bytes));

        Assert.Equal((uint)ari << 20, device.ReadConfig(0x100));
        Assert.Equal(0x1000Eu, device.ReadConfig(ari));
    }

    [Fact]
    public async Task The_extended_space_is_empty_where_nothing_of_it_is_visible()
    {
        var hardware = new Hardware();
        hardware.Express();
        hardware.Extended(0x1D, 16);
        hardware.Extended(0x1E, 16);
        await using var device = await OpenDevice.Open(new(hardware.Bytes));

        Assert.Equal(0u, device.ReadConfig(0x100));
    }

    [Fact]
    [Trait("Trap", "1")]
    public async Task Extended_space_without_PCI_Express_is_raw()
    {
        var hardware = new Hardware();
        hardware.Extended(0x01, 0x2C);
        var function = new ScriptedFunction(hardware.Bytes);
        await using var device = await OpenDevice.Open(function);

        device.WriteConfig(0x104, 4, 0x55AA55AA);
        Assert.Equal(0x55AA55AAu, function.Hardware32(0x104));
    }

    [Fact]
    [Trait("Trap", "3")]
    public async Task The_second_of_two_abutting_capabilities_of_one_id_shows_the_hardwares_link()
    {
        var hardware = new Hardware(256);
        var first = hardware.Standard(0x09, 16, (2, 1, 16));
        var second = hardware.Standard(0x09, 16, (2, 1, 16));
        var hidden = hardware.Standard(0x0C, 4);
        var last = hardware.Standard(0x09, 16, (2, 1, 16));
        await using var device = await OpenDevice.Open(new(hardware.Bytes));

        // As the kernel has it: its backward search takes the second for the middle of the first.
        Assert.Equal((uint)second, device.ReadConfig(first + 1, 1));
        Assert.Equal((uint)hidden, device.ReadConfig(second + 1, 1));
        Assert.Equal(0x0Cu, device.ReadConfig(hidden, 1));
        Assert.Equal(0x09u, device.ReadConfig(last, 1));
    }

    [Fact]
    [Trait("Trap", "3")]
    public async Task The_second_of_two_abutting_extended_capabilities_of_one_id_shows_the_hardwares_link()
    {
        var hardware = new Hardware();
        hardware.Express();
        hardware.Extended(0x23, 16, (4, 4, 16u << 20));
        var second = hardware.Extended(0x23, 16, (4, 4, 16u << 20));
        var hidden = hardware.Extended(0x2E, 16);
        var last = hardware.Extended(0x0E, 8);
        hardware.Extended(0x2E, 16);
        await using var device = await OpenDevice.Open(new(hardware.Bytes));

        Assert.Equal((uint)hidden, device.ReadConfig(second) >> 20);
        Assert.Equal(0u, device.ReadConfig(last) >> 20);
    }

    [Fact]
    public async Task A_chain_that_loops_ends()
    {
        var hardware = new Hardware(256);
        var first = hardware.PowerManagement();
        var second = hardware.Standard(0x09, 8, (2, 1, 8));
        hardware.Bytes[second + 1] = (byte)first;
        await using var device = await OpenDevice.Open(new(hardware.Bytes));

        Assert.Equal(0x01u, device.ReadConfig(first, 1));
    }

    [Fact]
    public async Task A_capability_that_reaches_over_the_end_is_hidden_and_a_raw_one_cut()
    {
        foreach (var id in new byte[] { 0x01, 0x03, 0x05, 0x07, 0x08, 0x10, 0x11, 0x12, 0x13 })
        {
            var hardware = new Hardware(256);
            hardware.Bytes[6] |= 0x10;
            hardware.Bytes[0x34] = 0xFC;
            hardware.Bytes[0xFC] = id;
            await using var device = await OpenDevice.Open(new(hardware.Bytes));
            Assert.Equal(0u, device.ReadConfig(0x34, 1));
            Assert.Equal(0u, device.ReadConfig(6, 2) & 0x10);
        }

        var raw = new Hardware(256);
        raw.Bytes[6] |= 0x10;
        raw.Bytes[0x34] = 0xF8;
        raw.Bytes[0xF8] = 0x09;
        raw.Bytes[0xFA] = 0x40;
        await using var cut = await OpenDevice.Open(new(raw.Bytes));
        Assert.Equal(0xF8u, cut.ReadConfig(0x34, 1));
    }

    [Fact]
    public async Task An_extended_chain_of_any_bytes_opens()
    {
        for (var seed = 0; seed < 300; seed++)
        {
            var hardware = new Hardware();
            new Random(seed).NextBytes(hardware.Bytes.AsSpan(0x40));
            hardware.Bytes[6] |= 0x10;
            hardware.Bytes[0x34] = (byte)(0x40 + (seed % 0xC0));
            if (seed % 2 == 0)
                hardware.Express();
            await using var device = await OpenDevice.Open(new(hardware.Bytes) { Notes = false });
            Assert.Equal(4096, device.Read(RegionIndex.Config, 0, new byte[4096]).Value);
        }
    }

    [Theory]
    [Trait("Trap", "1")]
    [InlineData(0x0B, 0x02000000u, 0x20)]
    [InlineData(0x23, 0x01800000u, 0x18)]
    public async Task Vendor_specific_extended_capabilities_are_raw_for_their_length_except_for_the_header(int id, uint second, int length)
    {
        var hardware = new Hardware();
        hardware.Express();
        var at = hardware.Extended((ushort)id, length, (4, 4, second));
        var function = new ScriptedFunction(hardware.Bytes);
        await using var device = await OpenDevice.Open(function);

        device.WriteConfig(at + length - 4, 4, 0x11223344);
        Assert.Equal(0x11223344u, function.Hardware32(at + length - 4));
        Assert.Equal((uint)id, device.ReadConfig(at, 2));
    }

    [Theory]
    [Trait("Trap", "1")]
    [InlineData(0x0F, 6)]
    [InlineData(0x13, 4)]
    [InlineData(0x10, 8)]
    [InlineData(0x0D, 6)]
    [InlineData(0x18, 4)]
    [InlineData(0x0E, 6)]
    public async Task Writes_to_read_only_extended_capabilities_are_dropped_and_succeed(int id, int register)
    {
        var hardware = new Hardware();
        hardware.Express();
        var at = hardware.Extended((ushort)id, 0x40);
        var function = new ScriptedFunction(hardware.Bytes);
        await using var device = await OpenDevice.Open(function);
        function.Writes.Clear();

        device.WriteConfig(at + register, 2, 0xFFFF);
        Assert.Empty(function.Writes);
    }

    [Theory]
    [InlineData(0x0020u, 40)]
    [InlineData(0x0820u, 12)]
    [InlineData(0x0000u, 8)]
    public async Task ACS_is_as_long_as_its_egress_vector_and_0_bits_are_256(uint capability, int length)
    {
        var hardware = new Hardware();
        hardware.Express();
        var at = hardware.Extended(0x0D, 0x40, (4, 4, capability));
        var function = new ScriptedFunction(hardware.Bytes);
        await using var device = await OpenDevice.Open(function);
        function.Writes.Clear();

        device.WriteConfig(at + length - 4, 4, 0x11223344);
        Assert.Empty(function.Writes);
        device.WriteConfig(at + length, 4, 0x11223344);
        Assert.Equal((at + length, 4, 0x11223344u), Assert.Single(function.Writes));
    }

    [Fact]
    public async Task Only_the_mask_bits_of_AER_reach_the_hardware()
    {
        var hardware = new Hardware();
        hardware.Express();
        var at = hardware.Extended(0x01, 0x2C);
        var function = new ScriptedFunction(hardware.Bytes);
        await using var device = await OpenDevice.Open(function);

        foreach (var (register, mask) in new[] { (8, 0x03FFF031u), (0xC, 0x03FFF031u), (0x14, 0xF1C1u), (0x18, 0x140u), (0x1C, 0u) })
        {
            device.WriteConfig(at + register, 4, 0xFFFFFFFF);
            Assert.Equal(mask, function.Hardware32(at + register));
        }
    }
}
