using System.Text.Json;
using Vfio.Tool.Config;

namespace Vfio.Tool.Tests;

public sealed class ShowTests
{
    [Fact]
    public async Task Show_json_decodes_what_a_guest_would_see()
    {
        var shown = (await Cli.RunAsync("show", "00.1", "--json", "--hex")).Json();
        Assert.Equal("VF", shown.GetProperty("kind").GetString());
        Assert.Equal("nvme-vfio-pci", shown.GetProperty("driver").GetString());
        var header = shown.GetProperty("header").EnumerateArray().ToList();
        var vendor = shown.GetProperty("ids").GetProperty("vendor").GetString();

        // A VF's own id registers read FFFFh; the core shows the identity.
        Assert.Equal(vendor, header.Single(r => r.GetProperty("name").GetString() == "Vendor ID").GetProperty("value").GetString());
        var names = shown.GetProperty("capabilities").EnumerateArray().Select(c => c.GetProperty("name").GetString()).ToList();
        Assert.Contains("PCI Express", names);
        Assert.Contains("MSI-X", names);
        Assert.DoesNotContain("Single Root I/O Virtualization", names);
        var bar0 = shown.GetProperty("regions").EnumerateArray().Single(r => r.GetProperty("index").GetInt32() == 0);
        Assert.Equal("Memory, 64-bit, non-prefetchable", bar0.GetProperty("kind").GetString());
        Assert.Contains(
            shown.GetProperty("irqs").EnumerateArray(),
            i => i.GetProperty("name").GetString() == "Msix" && i.GetProperty("count").GetInt32() > 1);
        Assert.Contains(shown.GetProperty("description").EnumerateArray(), d => d.GetProperty("key").GetString() == "secondary controller");
        Assert.Equal(
            ["0000:01:00.0", "0000:01:00.1", "0000:01:00.2", "0000:01:00.3", "0000:01:00.4"],
            shown.GetProperty("hotReset").EnumerateArray().Select(f => f.GetString()));
        Assert.Equal(JsonValueKind.Null, shown.GetProperty("migrationState").ValueKind);
        Assert.Equal(2 * 4096, shown.GetProperty("hex").GetString()!.Length);
        Assert.StartsWith(vendor![4..6] + vendor[2..4], shown.GetProperty("hex").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Show_reads_like_lspci()
    {
        var text = (await Cli.RunAsync("show", "00.2", "--hex")).Out;
        Assert.Contains("\tControl: 0x0002 I/O- Mem+ BusMaster-", text, StringComparison.Ordinal);
        Assert.Contains("FLReset+", text, StringComparison.Ordinal);
        Assert.Contains("\tRegion 0: BAR 0 at 0x0 (Memory, 64-bit, non-prefetchable)", text, StringComparison.Ordinal);
        Assert.Contains("\tHot reset: 0000:01:00.0 0000:01:00.1 ", text, StringComparison.Ordinal);
        Assert.Contains("\n00: 34 12", text, StringComparison.Ordinal);
        Assert.Contains("\nff0: ", text, StringComparison.Ordinal);
    }

    [Fact]
    public void A_capability_chain_that_loops_ends()
    {
        var bytes = new byte[256];
        bytes[HeaderLayout.StatusOffset] = HeaderLayout.CapabilityListBit;
        bytes[HeaderLayout.CapabilityPointer] = 0x40;
        (bytes[0x40], bytes[0x41]) = (0x01, 0x50);
        (bytes[0x50], bytes[0x51]) = (0x11, 0x40);
        Assert.Equal(["Power Management", "MSI-X"], ConfigSpace.Of(bytes).Capabilities().Select(c => c.Name));
    }

    [Fact]
    public void Capabilities_at_the_very_end_and_of_unknown_ids_are_shown_as_far_as_they_go()
    {
        var bytes = new byte[256];
        bytes[HeaderLayout.StatusOffset] = HeaderLayout.CapabilityListBit;
        bytes[HeaderLayout.CapabilityPointer] = 0xFC;
        (bytes[0xFC], bytes[0xFD]) = (0x10, 0x60);
        (bytes[0x60], bytes[0x61]) = (0xEE, 0x00);
        var capabilities = ConfigSpace.Of(bytes).Capabilities();
        Assert.Equal(["Capabilities"], capabilities[0].Registers.Select(r => r.Name));
        Assert.Equal("Capability ee", capabilities[1].Name);
    }

    [Fact]
    public void Extended_capabilities_follow_their_own_chain()
    {
        var bytes = new byte[4096];
        BitConverter.TryWriteBytes(bytes.AsSpan(0x100), 0x0001u | (1u << 16) | (0x140u << 20));
        BitConverter.TryWriteBytes(bytes.AsSpan(0x140), 0x0003u | (1u << 16));
        BitConverter.TryWriteBytes(bytes.AsSpan(0x144), 0x1122334455667788ul);
        var capabilities = ConfigSpace.Of(bytes).Capabilities();
        Assert.Equal(["Advanced Error Reporting", "Device Serial Number"], capabilities.Select(c => c.Name));
        Assert.Equal("0x1122334455667788", capabilities[1].Registers.Single().Value);
    }

    [Theory]
    [InlineData(0x0u, "Enable-")]
    [InlineData(0x1u, "Enable+")]
    public void A_bit_shows_as_its_name_and_a_sign(uint register, string text)
        => Assert.Equal(text, new BitField("Enable", 0).Show(register));

    [Fact]
    public void A_field_shows_as_a_name_where_the_specification_has_one_and_as_a_number_elsewhere()
    {
        var field = new BitField("State", 0, 2, ["D0", "D1"]);
        Assert.Equal("State=D1", field.Show(1));
        Assert.Equal("State=3", field.Show(3));
    }
}
