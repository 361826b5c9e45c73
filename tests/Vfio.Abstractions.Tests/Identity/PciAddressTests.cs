using FsCheck;
using FsCheck.Fluent;

namespace Vfio.Tests.Identity;

public sealed class PciAddressTests
{
    [Fact]
    public void Printing_and_parsing_are_inverse_and_order_is_that_of_segment_and_routing_id()
    {
        var address = from segment in Gen.Choose(0, 0xFFFF)
                      from routing in Gen.Choose(0, 0xFFFF)
                      select new PciAddress((ushort)segment, 0, 0, 0).WithRoutingId((ushort)routing);
        Check.One(FsCheck.Config.QuickThrowOnFailure, Prop.ForAll(address.Two().ToArbitrary(), pair =>
        {
            var (a, b) = pair;
            Assert.Equal(a, PciAddress.Parse(a.ToString()));
            Assert.Equal(a, a.WithRoutingId(a.RoutingId));
            Assert.InRange(a.Device, 0, 31);
            Assert.InRange(a.Function, 0, 7);
            Assert.Equal(Math.Sign(a.CompareTo(b)), Math.Sign(string.CompareOrdinal(a.ToString(), b.ToString())));
        }));
    }

    [Theory]
    [InlineData("0000:3b:00.2", 0, 0x3B, 0, 2)]
    [InlineData("3b:1f.7", 0, 0x3B, 0x1F, 7)]
    [InlineData("ffff:ff:1f.7", 0xFFFF, 0xFF, 0x1F, 7)]
    public void Addresses_are_read_as_the_kernel_writes_them(string text, int segment, int bus, int device, int function)
        => Assert.Equal(new PciAddress((ushort)segment, (byte)bus, (byte)device, (byte)function), PciAddress.Parse(text));

    [Theory]
    [InlineData("")]
    [InlineData("3b")]
    [InlineData("3b:00")]
    [InlineData("00.2")]
    [InlineData("0000:3b:00.8")]
    [InlineData("0000:3b:20.0")]
    [InlineData("0000:100:00.0")]
    [InlineData("10000:3b:00.0")]
    [InlineData("0000:3b:00.")]
    [InlineData(":3b:00.0")]
    [InlineData("0000:3b:00.0 ")]
    [InlineData("0:0000:3b:00.0")]
    public void Anything_else_is_refused(string text)
    {
        Assert.False(PciAddress.TryParse(text, null, out _));
        Assert.Throws<FormatException>(() => PciAddress.Parse(text));
    }
}
